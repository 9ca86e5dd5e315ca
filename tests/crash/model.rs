//! A disk that keeps what was synced, and of the rest what it likes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use lab_tests::dice::Dice;
use lab_tests::op::Op;

/// What a disk writes as one.
const SECTOR: usize = 512;

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unsynced {
    /// None of it is there.
    Gone,
    /// Some sectors are there and others are not, in no order; the same goes for names.
    Torn,
    /// All of it is there but its last sector.
    Cut,
}

/// Which syncs the disk honours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Honours {
    /// All.
    All,
    /// Those of files: the names in folders may be lost.
    Files,
    /// None.
    Nothing,
}

type File = usize;

#[derive(Debug, Default)]
struct Content {
    durable: Vec<u8>,
    /// What was done to it since the last sync.
    pending: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

#[derive(Debug, Clone)]
enum Naming {
    Folder(PathBuf),
    Put(PathBuf, File),
    Remove(PathBuf),
}

/// The disk.
#[derive(Debug)]
pub(crate) struct Disk {
    honours: Honours,
    files: Vec<Content>,
    /// The names as a running program sees them.
    names: BTreeMap<PathBuf, File>,
    durable_names: BTreeMap<PathBuf, File>,
    durable_folders: BTreeSet<PathBuf>,
    pending_names: Vec<Naming>,
}

impl Disk {
    /// An empty one.
    pub(crate) fn new(honours: Honours) -> Disk {
        Disk {
            honours,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            // The traced folder itself lies in one that is not looked at.
            durable_folders: BTreeSet::from([PathBuf::new()]),
            pending_names: Vec::new(),
        }
    }

    /// Does one thing.
    pub(crate) fn play(&mut self, op: &Op) {
        match op {
            Op::Ack(_) => {}
            Op::Folder(path) => self.pending_names.push(Naming::Folder(path.clone())),
            Op::Create(path) => {
                self.files.push(Content::default());
                self.put(path.clone(), self.files.len() - 1);
            }
            Op::Write(path, at, bytes) => self.change(path, Change::Write(*at, bytes.clone())),
            Op::Truncate(path, length) => self.change(path, Change::Truncate(*length)),
            Op::Rename(from, to) => {
                if let Some(file) = self.names.remove(from) {
                    self.pending_names.push(Naming::Remove(from.clone()));
                    self.put(to.clone(), file);
                }
            }
            Op::Remove(path) => {
                self.names.remove(path);
                self.pending_names.push(Naming::Remove(path.clone()));
            }
            Op::Sync(path) => self.sync(path),
        }
    }

    fn put(&mut self, path: PathBuf, file: File) {
        self.names.insert(path.clone(), file);
        self.pending_names.push(Naming::Put(path, file));
    }

    fn change(&mut self, path: &Path, change: Change) {
        if let Some(file) = self.names.get(path) {
            self.files[*file].pending.push(change);
        }
    }

    fn sync(&mut self, path: &Path) {
        match self.names.get(path) {
            Some(file) if self.honours != Honours::Nothing => {
                let Content { durable, pending } = &mut self.files[*file];
                pending.drain(..).for_each(|change| change.apply(durable, |_| true));
            }
            None if self.honours == Honours::All => {
                let (synced, later) = std::mem::take(&mut self.pending_names)
                    .into_iter()
                    .partition(|naming| naming.path().parent() == Some(path));
                self.pending_names = later;
                self.name(synced);
            }
            _ => {}
        }
    }

    fn name(&mut self, namings: Vec<Naming>) {
        for naming in namings {
            match naming {
                Naming::Folder(path) => drop(self.durable_folders.insert(path)),
                Naming::Put(path, file) => drop(self.durable_names.insert(path, file)),
                Naming::Remove(path) => drop(self.durable_names.remove(&path)),
            }
        }
    }

    /// The power fails, and what is on the disk is laid out in `folder`.
    pub(crate) fn fail(mut self, unsynced: Unsynced, dice: &mut Dice, folder: &Path) -> Result<()> {
        let mut namings = std::mem::take(&mut self.pending_names);
        match unsynced {
            Unsynced::Gone => namings.clear(),
            Unsynced::Torn => namings.retain(|_| dice.one_in(2)),
            Unsynced::Cut => {}
        }
        self.name(namings);
        for content in &mut self.files {
            content.lose(unsynced, dice);
        }
        fs::create_dir_all(folder)?;
        for path in &self.durable_folders {
            fs::create_dir_all(folder.join(path))?;
        }
        for (path, file) in &self.durable_names {
            let is_reached =
                path.parent().is_some_and(|above| self.durable_folders.contains(above));
            if is_reached {
                fs::write(folder.join(path), &self.files[*file].durable)?;
            }
        }
        Ok(())
    }
}

impl Naming {
    fn path(&self) -> &Path {
        match self {
            Naming::Folder(path) | Naming::Put(path, _) | Naming::Remove(path) => path,
        }
    }
}

impl Content {
    fn lose(&mut self, unsynced: Unsynced, dice: &mut Dice) {
        let Content { durable, pending } = self;
        let last = pending.len().saturating_sub(1);
        for (index, change) in pending.drain(..).enumerate() {
            match unsynced {
                Unsynced::Gone => {}
                Unsynced::Torn => change.apply(durable, |_| dice.one_in(2)),
                Unsynced::Cut => {
                    let end = change.end().saturating_sub(1) / SECTOR as u64;
                    change.apply(durable, |sector| index < last || sector < end);
                }
            }
        }
    }
}

impl Change {
    fn end(&self) -> u64 {
        match self {
            Change::Write(at, bytes) => at + bytes.len() as u64,
            Change::Truncate(length) => *length,
        }
    }

    /// Does it to those sectors that are `kept`.
    fn apply(self, content: &mut Vec<u8>, mut kept: impl FnMut(u64) -> bool) {
        match self {
            Change::Truncate(length) => {
                if kept(length / SECTOR as u64) {
                    content.resize(length as usize, 0);
                }
            }
            Change::Write(at, bytes) => {
                let mut at = at as usize;
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (piece, later) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                    if kept((at / SECTOR) as u64) {
                        content.resize(content.len().max(at + piece.len()), 0);
                        content[at..at + piece.len()].copy_from_slice(piece);
                    }
                    (at, rest) = (at + piece.len(), later);
                }
            }
        }
    }
}
