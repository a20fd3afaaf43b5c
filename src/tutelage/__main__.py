"""`python -m tutelage` is the same as `tutelage`."""

from tutelage.cli.main import main

if __name__ == "__main__":
    main()
