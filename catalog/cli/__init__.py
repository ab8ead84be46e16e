"""The command line: flags become typed values here, and engines never see flags."""
