//! Importing mail from files: mbox and Maildir.

mod canonical;
mod folder_name;
mod from_line;
mod lines;
mod maildir;
mod mbox;
mod status;
