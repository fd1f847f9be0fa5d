//! Both sides of the control socket against each other.

use std::io::{self, BufRead, Cursor, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use tools::{Console, Exit, Progress};

use super::*;

/// A console that remembers what it was told.
#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    octets: Vec<u8>,
    stdin: Cursor<Vec<u8>>,
}

impl Console for Heard {
    fn out(&mut self, line: &str) -> io::Result<()> {
        self.lines.push(format!("out {line}"));
        Ok(())
    }

    fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        self.octets.extend_from_slice(octets);
        Ok(())
    }

    fn err(&mut self, line: &str) -> io::Result<()> {
        self.lines.push(format!("err {line}"));
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) -> io::Result<()> {
        self.lines.push(format!("progress {} {}/{:?}", progress.what, progress.done, progress.total));
        Ok(())
    }

    fn stdin(&mut self) -> &mut dyn BufRead {
        &mut self.stdin
    }

    fn directory(&self) -> &Path {
        Path::new("/")
    }
}

fn request() -> Request {
    Request::new("test", vec!["a".to_owned(), "b c".to_owned()], PathBuf::from("/tmp/x"))
}

/// Runs a command over a socket pair; what the caller heard, its exit code, and what the server made of it.
fn call(
    input: Input,
    run: impl FnOnce(&Request, &mut dyn Console) -> Exit + Send + 'static,
) -> (Vec<String>, Result<u8, ControlError>, Result<Exit, ControlError>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || answer(listener.accept().unwrap().0, run));
    let Called::Server(client) = Client::call(&path).unwrap() else { panic!("nobody there") };
    let mut heard = Heard::default();
    let code = client.run(&request(), input, &mut heard);
    (heard.lines, code, server.join().unwrap())
}

#[test]
fn words_and_exit_code_come_back() {
    let (lines, code, exit) = call(Input::None, |asked, console| {
        assert_eq!(*asked, request());
        assert_eq!(console.directory(), Path::new("/tmp/x"));
        console.out("one \"line\"\\").unwrap();
        console.err("two").unwrap();
        // Only the first of many in a moment is sent.
        for done in 0..1000 {
            console.progress(&Progress { what: "x".to_owned(), done, total: Some(1000) }).unwrap();
        }
        assert_eq!(console.stdin().read(&mut [0; 10]).unwrap(), 0);
        Exit::NoUser
    });
    assert_eq!(code.unwrap(), 67);
    assert_eq!(exit.unwrap(), Exit::NoUser);
    assert_eq!(lines[..3], ["out one \"line\"\\", "err two", "progress x 0/Some(1000)"]);
    assert!(lines.len() < 100);
}

#[test]
fn large_input_streams_and_small_lines_are_lines() {
    let data: Vec<u8> = (0..3_000_000u32).map(|at| (at / 7) as u8).collect();
    let sent = data.clone();
    let (_, code, _) = call(Input::Stream(Box::new(Cursor::new(sent))), move |_, console| {
        let mut read = Vec::new();
        console.stdin().read_to_end(&mut read).unwrap();
        if read == data { Exit::Ok } else { Exit::Data }
    });
    assert_eq!(code.unwrap(), 0);

    let (lines, ..) = call(Input::Octets(b"secret\nmore".to_vec()), |_, console| {
        let mut line = String::new();
        console.stdin().read_line(&mut line).unwrap();
        console.out(line.trim_end()).unwrap();
        Exit::Ok
    });
    assert_eq!(lines, ["out secret"]);
}

#[test]
fn octets_come_as_they_are() {
    let data: Vec<u8> = (0..3_000_000u32).map(|at| (at / 7) as u8).collect();
    let sent = data.clone();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        answer(theirs, |_, console| {
            console.out("before").unwrap();
            console.octets(&[]).unwrap();
            console.octets(&sent).unwrap();
            console.out("after").unwrap();
            Exit::Ok
        })
    });
    let mut heard = Heard::default();
    let code = Client { stream: ours.try_clone().unwrap() }.run(&request(), Input::None, &mut heard);
    assert_eq!(code.unwrap(), 0);
    assert_eq!(heard.lines, ["out before", "out after"]);
    assert!(heard.octets == data);
    assert_eq!(server.join().unwrap().unwrap(), Exit::Ok);
    // A server that dies in the middle.
    let (theirs, client) = UnixStream::pair().unwrap();
    ours = theirs;
    ours.write_all(b"{\"octets\":10}\nabc").unwrap();
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(Client { stream: client }.run(&request(), Input::None, &mut Heard::default()).is_err());
}

#[test]
fn unread_input_does_not_block_the_end() {
    let (_, code, _) = call(Input::Stream(Box::new(io::repeat(b'x'))), |_, _| Exit::Usage);
    assert_eq!(code.unwrap(), 64);
}

#[test]
fn half_an_input_is_not_taken_for_a_whole() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(b"{\"angarium\":1,\"command\":\"x\",\"args\":[],\"directory\":\"/\"}\n{\"stdin\":10}\nabc").unwrap();
    drop(ours);
    let result = answer(theirs, |_, console| {
        let error = console.stdin().read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        Exit::Io
    });
    assert!(result.is_err());
}

#[test]
fn callers_that_speak_something_else() {
    let garbage: &[&[u8]] = &[b"", b"GET / HTTP/1.0\r\n\r\n", b"{}\n", b"{\"angarium\":1", &[b'x'; 2 << 20]];
    for garbage in garbage {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let garbage = garbage.to_vec();
        let writer = thread::spawn(move || drop(ours.write_all(&garbage)));
        assert!(answer(theirs, |_, _| panic!("runs nothing")).is_err());
        writer.join().unwrap();
    }
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(b"{\"angarium\":99,\"command\":\"x\",\"args\":[],\"directory\":\"/\"}\n").unwrap();
    assert_eq!(answer(theirs, |_, _| panic!("runs nothing")).unwrap(), Exit::Unavailable);
    let mut said = String::new();
    ours.read_to_string(&mut said).unwrap();
    assert!(said.contains("restart it") && said.ends_with("{\"exit\":69}\n"), "{said}");
}

#[test]
fn nobody_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control");
    assert!(matches!(Client::call(&path), Ok(Called::Nobody)));
    drop(UnixListener::bind(&path).unwrap());
    assert!(matches!(Client::call(&path), Ok(Called::Nobody)));
    std::fs::write(dir.path().join("file"), "").unwrap();
    assert!(Client::call(&dir.path().join("file/control")).is_err());
}

#[test]
fn who_may_call() {
    for (caller, own, expected) in [(0, 1000, true), (1000, 1000, true), (1001, 1000, false), (1000, 0, false)] {
        assert_eq!(permitted(caller, own), expected);
    }
}
