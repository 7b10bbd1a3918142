"""`python -m service COMMAND`. The commands are in commands/main.py."""

import gc
import signal
import sys

if __name__ == "__main__":
    # Imported modules are never garbage; collecting during the imports takes a tenth of the start.
    gc.disable()
    try:
        from service.commands.main import main
    except KeyboardInterrupt:  # afterwards, main says so
        sys.stderr.write("error: interrupted\n")
        sys.exit(128 + signal.SIGINT)

    sys.exit(main())
