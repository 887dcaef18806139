"""The provider plugin `gigasite`: machines, racks and what feeds them, as Pulumi resources.

Pulumi runs this folder as a program, so it stands at the head of `sys.path`: no module here may have the name
of one in the standard library.
"""
