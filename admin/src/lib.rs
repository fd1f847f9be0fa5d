//! The control socket, and later the Server Manager, its commands and Postfix look-ups.
