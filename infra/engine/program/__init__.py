"""The program: its process, and the services that it calls (ResourceMonitor, Engine, Callbacks)."""
