"""`python -m service COMMAND`. The commands are in commands/main.py."""

import gc
import sys

if __name__ == "__main__":
    # Imported modules are never garbage; collecting during the imports takes a tenth of the start.
    gc.disable()
    from service.commands.main import main

    sys.exit(main())
