#!/bin/sh
# Renders the sentences by flite: FLAC, 16 kHz mono, one file a sentence and voice, as VOICE/SET-NN.flac.
# Usage: render.sh [FOLDER]   (default: rendered/ beside this file). Needs flite and sox.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/rendered}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for voice in slt rms awb kal16; do
    mkdir -p "$out/$voice"
    for set in frontdesk paraphrases out_of_domain; do
        number=0
        while IFS= read -r sentence; do
            number=$((number + 1))
            flite -voice "$voice" -t "$sentence" -o "$work/speech.wav"
            # -D: no dither, so that a second rendering gives the same samples.
            sox -D "$work/speech.wav" -r 16000 -c 1 -b 16 -C 8 "$out/$voice/$set-$(printf %02d "$number").flac"
        done <"$here/$set.txt"
    done
done
