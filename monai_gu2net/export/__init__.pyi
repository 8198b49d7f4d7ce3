from .backend_names import BACKENDS as BACKENDS
from .backend_names import PRECISIONS as PRECISIONS
from .backends import Backend as Backend
from .conversion import exported_program as exported_program
