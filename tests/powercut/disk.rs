//! A file system of its own, in a file, that can be copied at any moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

/// How often a copy is taken again because something was written to the disk meanwhile.
const COPIES: usize = 50;

/// A file system in a file.
pub(crate) struct Disk {
    image: PathBuf,
    /// Where it is mounted.
    pub(crate) mounted: PathBuf,
    device: String,
    is_mounted: bool,
}

impl Disk {
    /// A new one of `size` bytes, whose image lies in `directory`; nothing where that is not possible.
    pub(crate) fn create(directory: &Path, size: u64) -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let image = directory.join("disk-0");
        fs::File::create(&image).and_then(|file| file.set_len(size)).expect("the image can be written");
        let made = run("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", text(&image)]);
        made.ok()?;
        let mounted = directory.join("mounted");
        fs::create_dir(&mounted).expect("a mount point");
        Self::mount(image, mounted)
    }

    fn mount(image: PathBuf, mounted: PathBuf) -> Option<Self> {
        let device = run("losetup", &["--find", "--show", text(&image)]).ok()?.trim().to_owned();
        let mut disk = Self { image, mounted, device, is_mounted: false };
        run("mount", &["-t", "ext4", &disk.device, text(&disk.mounted)]).ok()?;
        disk.is_mounted = true;
        Some(disk)
    }

    /// A copy of the image as it was at one moment: taken again when the kernel wrote to it meanwhile.
    pub(crate) fn copy(&self) -> PathBuf {
        let copy = self.image.with_file_name(if self.image.ends_with("disk-0") { "disk-1" } else { "disk-0" });
        for _ in 0..COPIES {
            let before = self.writes();
            run("cp", &["--sparse=always", text(&self.image), text(&copy)]).expect("the image can be copied");
            if self.writes() == before {
                return copy;
            }
        }
        panic!("the disk does not come to rest although the server is stopped");
    }

    /// From here on the disk is what the copy holds.
    pub(crate) fn replace_by(&mut self, copy: &Path) {
        self.unmount();
        fs::remove_file(&self.image).expect("the old image can go");
        let mounted = Self::mount(copy.to_owned(), self.mounted.clone());
        *self = mounted.expect("the copy can be mounted: its journal is replayed");
    }

    /// Keeps what is on it now, for [`Disk::go_back_to`].
    pub(crate) fn keep(&mut self, name: &str) -> PathBuf {
        let kept = self.image.with_file_name(name);
        self.sync();
        fs::rename(self.copy(), &kept).expect("the copy can have another name");
        kept
    }

    /// Everything that was written so far survives a power cut.
    pub(crate) fn sync(&self) {
        run("sync", &["--file-system", text(&self.mounted)]).expect("the disk can be synced");
    }

    /// The disk is again what it was when that was kept.
    pub(crate) fn go_back_to(&mut self, kept: &Path) {
        let copy = self.image.with_file_name(if self.image.ends_with("disk-0") { "disk-1" } else { "disk-0" });
        run("cp", &["--sparse=always", text(kept), text(&copy)]).expect("the image can be copied");
        self.replace_by(&copy);
    }

    /// How many writes have reached the device.
    pub(crate) fn written(&self) -> u64 {
        self.writes().0.parse().expect("a number")
    }

    /// How many writes the device has seen, and how many are on their way.
    fn writes(&self) -> (String, String) {
        let name = self.device.trim_start_matches("/dev/");
        let stat = fs::read_to_string(format!("/sys/block/{name}/stat")).expect("the kernel counts");
        let field = |index: usize| stat.split_whitespace().nth(index).unwrap_or_default().to_owned();
        (field(4), field(8))
    }

    fn unmount(&mut self) {
        if std::mem::take(&mut self.is_mounted) {
            run("umount", &[text(&self.mounted)]).expect("nothing uses the disk any more");
        }
        if !self.device.is_empty() {
            let _ = run("losetup", &["--detach", &std::mem::take(&mut self.device)]);
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            // A failing test may still have its server running there.
            let _ = run("umount", &["--lazy", text(&self.mounted)]);
        }
        if !self.device.is_empty() {
            let _ = run("losetup", &["--detach", &self.device]);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of this test are ASCII")
}
