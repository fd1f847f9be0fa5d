//! What a mail message is: its MIME structure with exact offsets, its header values, and the IMAP-ready forms of both.
