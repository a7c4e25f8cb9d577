from voiceworker.cli import main

main()
