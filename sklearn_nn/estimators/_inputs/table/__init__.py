"""Tables: frames of several libraries, cells, columns, and the encoder."""
