"""Start the plugin: Pulumi runs this folder with the engine's address as its argument."""

from infra.provider.serving import main

if __name__ == "__main__":
    main()
