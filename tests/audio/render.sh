#!/bin/sh
# Renders the lines that tests and the README's examples speak: WAV, 16 kHz mono 16 bit, by flite's voice slt.
# Usage: render.sh [FOLDER]   (default: this folder). Needs flite and sox.
set -eu
out=${1:-$(cd "$(dirname "$0")" && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
render() {
    flite -voice slt -t "$2" -o "$work/speech.wav"
    # -D: no dither, so that a second rendering gives the same samples.
    sox -D "$work/speech.wav" -r 16000 -c 1 -b 16 "$out/$1.wav"
}
render hours "What are your opening hours?"
render booking "I would like to book an appointment."
render stop "Stop, please. Where are you?"
render goodbye "Thank you, goodbye."
