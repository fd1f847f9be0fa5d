//! The real disk refuses what could block or lead away, and replaces files whole.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::*;

fn disk() -> (tempfile::TempDir, RealDisk) {
    (tempfile::tempdir().unwrap(), RealDisk)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn only_regular_files_are_opened_and_nothing_blocks() {
    let (dir, disk) = disk();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("plain"), "x").unwrap();
    fs::create_dir(at("dir")).unwrap();
    symlink(at("plain"), at("link")).unwrap();
    rustix::fs::mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();

    assert_eq!(disk.read(&at("plain"), 10).unwrap(), b"x");
    for name in ["dir", "link", "fifo", "socket"] {
        assert!(disk.open_read(&at(name)).unwrap_err().is_not_regular(), "read {name}");
        assert!(disk.open_rw(&at(name)).unwrap_err().is_not_regular(), "write {name}");
        assert!(disk.create_new(&at(name)).unwrap_err().is_exists(), "create {name}");
    }
    assert!(disk.open_read(&at("none")).unwrap_err().is_not_found());
    assert!(disk.read_dir(&at("link")).is_err());
    assert_eq!(disk.metadata(&at("link")).unwrap().kind, FileKind::Symlink);
}

#[test]
fn reading_has_a_limit_and_names_a_short_file() {
    let (dir, disk) = disk();
    let path = dir.path().join("f");
    fs::write(&path, "0123456789").unwrap();
    assert_eq!(disk.read(&path, 10).unwrap(), b"0123456789");
    assert!(matches!(disk.read(&path, 9).unwrap_err().cause, Cause::TooLarge { limit: 9 }));
    let file = disk.open_read(&path).unwrap();
    let mut four = [0; 4];
    file.read_exact_at(&mut four, 6).unwrap();
    assert_eq!(&four, b"6789");
    assert!(matches!(file.read_exact_at(&mut four, 7).unwrap_err().cause, Cause::Short { end: 11 }));
    assert_eq!(file.read_at(&mut four, u64::MAX).map_err(|e| e.errno()), Err(Some(Errno::INVAL)));
}

#[test]
fn vectored_writes_place_every_part() {
    let (dir, disk) = disk();
    let file = disk.create_new(&dir.path().join("f")).unwrap();
    let parts: Vec<Vec<u8>> = (0..2500u32).map(|n| n.to_le_bytes().repeat(n as usize % 3)).collect();
    let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    disk.write_vectored_at(&file, &slices, 3).unwrap();
    let mut expected = vec![0; 3];
    expected.extend(parts.concat());
    assert_eq!(file.read_all(u64::MAX).unwrap(), expected);
    assert_eq!(file.metadata().unwrap().mode, 0o600);
}

#[test]
fn replacing_leaves_one_file() {
    let (dir, disk) = disk();
    let path = dir.path().join("f");
    for content in ["first", "second, longer", ""] {
        disk.replace_file(&path, content.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(names(dir.path()), ["f"]);
    }
    fs::write(dir.path().join("f.1-0123456789abcdef.tmp"), "").unwrap();
    assert_eq!(super::super::leftover_temporaries(&disk, dir.path()).unwrap(), ["f.1-0123456789abcdef.tmp"]);
}

#[test]
fn names_are_never_taken_over_unasked() {
    let (dir, disk) = disk();
    let at = |name: &str| dir.path().join(name);
    for name in ["a", "b"] {
        fs::write(at(name), name).unwrap();
    }
    fs::create_dir(at("d")).unwrap();
    fs::create_dir(at("e")).unwrap();
    assert!(disk.rename_no_replace(&at("a"), &at("b")).unwrap_err().is_exists());
    assert!(disk.rename_no_replace(&at("d"), &at("e")).unwrap_err().is_exists());
    assert!(disk.link(&at("a"), &at("b")).unwrap_err().is_exists());
    // The way for file systems that cannot do it in one step keeps the promise as well.
    assert_eq!(RealDisk::rename_by_steps(&at("a"), &at("b")), Err(Errno::EXIST));
    assert_eq!(RealDisk::rename_by_steps(&at("d"), &at("e")), Err(Errno::EXIST));
    RealDisk::rename_by_steps(&at("a"), &at("a2")).unwrap();
    RealDisk::rename_by_steps(&at("d"), &at("d2")).unwrap();
    disk.rename_no_replace(&at("a2"), &at("a3")).unwrap();
    disk.rename(&at("b"), &at("a3")).unwrap();
    assert_eq!(names(dir.path()), ["a3", "d2", "e"]);
    assert_eq!(fs::read_to_string(at("a3")).unwrap(), "b");
}

#[test]
fn directories_and_copies() {
    let (dir, disk) = disk();
    let deep = dir.path().join("x/y/z");
    disk.create_dir_all(&deep).unwrap();
    disk.create_dir_all(&deep).unwrap();
    let source = disk.create_new(&deep.join("source")).unwrap();
    disk.write_at(&source, &vec![7; 300_000], 0).unwrap();
    disk.set_times(&source, UnixTime { secs: 1_000_000_001, nanos: 5 }).unwrap();
    assert_eq!(source.metadata().unwrap().modified, UnixTime { secs: 1_000_000_001, nanos: 5 });
    let target = disk.create_new(&deep.join("target")).unwrap();
    assert_eq!(disk.copy(&source, &target).unwrap(), 300_000);
    assert_eq!(target.read_all(u64::MAX).unwrap(), vec![7; 300_000]);
    let mut entries = disk.read_dir(&deep).unwrap();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(
        entries.iter().map(|e| (e.name.to_str().unwrap(), e.kind)).collect::<Vec<_>>(),
        [("source", FileKind::File), ("target", FileKind::File)]
    );
    assert_eq!(disk.rmdir(&deep).unwrap_err().errno(), Some(Errno::NOTEMPTY));
}

#[test]
fn a_lock_has_one_holder() {
    let (dir, disk) = disk();
    let path = dir.path().join("lock");
    let first = disk.create_new(&path).unwrap();
    assert!(first.try_lock().unwrap());
    assert!(!disk.open_rw(&path).unwrap().try_lock().unwrap());
    drop(first);
    assert!(disk.open_rw(&path).unwrap().try_lock().unwrap());
}
