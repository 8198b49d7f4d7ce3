from .conversion import exported_program as exported_program
