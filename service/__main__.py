"""`python -m service COMMAND`: what the commands are is in commands.py."""

import gc
import sys

if __name__ == "__main__":
    # What is imported now is no garbage, and looking for some among it takes a tenth of the start.
    gc.disable()
    from service.commands.main import main

    sys.exit(main())
