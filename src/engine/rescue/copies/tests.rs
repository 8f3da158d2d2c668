use std::sync::Condvar;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;

use super::*;

const BEGAN: u64 = 1_000;

struct Hand(AtomicU64);

impl Hand {
    fn at(secs: u64) -> Arc<Hand> {
        Arc::new(Hand(AtomicU64::new(secs)))
    }

    fn forward(&self, secs: u64) {
        self.0.fetch_add(secs, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, _until: Timestamp) {
        std::future::pending().await
    }
}

#[derive(Default)]
struct Contents {
    /// Calls do not return.
    hangs: bool,
    /// Calls fail with that.
    fails: Option<&'static str>,
    /// Calls that have not returned.
    pending: usize,
    files: BTreeMap<SwapId, String>,
    /// All texts that were ever written.
    written: Vec<String>,
}

/// A folder in memory whose calls hang while it is told so.
#[derive(Clone, Default)]
struct Mount(Arc<(Mutex<Contents>, Condvar)>);

impl Mount {
    fn hanging() -> Mount {
        let mount = Mount::default();
        mount.set(|contents| contents.hangs = true);
        mount
    }

    fn set<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> T {
        let changed = change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
        changed
    }

    fn release(&self) {
        self.set(|contents| contents.hangs = false);
    }

    fn call<T>(&self, work: impl FnOnce(&mut Contents) -> T) -> io::Result<T> {
        self.set(|contents| contents.pending += 1);
        let contents = self.0.0.lock().unwrap();
        let mut contents = self.0.1.wait_while(contents, |contents| contents.hangs).unwrap();
        contents.pending -= 1;
        match contents.fails {
            Some(reason) => Err(io::Error::other(reason)),
            None => Ok(work(&mut contents)),
        }
    }

    fn files(&self) -> Vec<(SwapId, String)> {
        self.set(|contents| contents.files.clone()).into_iter().collect()
    }

    fn wait_until_it_hangs(&self) {
        eventually("a call that hangs", || {
            self.set(|contents| contents.hangs && contents.pending == 1)
        });
    }
}

impl SecondFolder for Mount {
    fn path(&self) -> &Path {
        Path::new("/mnt/usb")
    }

    fn write(&self, swap: SwapId, text: &str) -> io::Result<()> {
        self.call(|contents| {
            contents.written.push(text.into());
            contents.files.insert(swap, text.into());
        })
    }

    fn remove(&self, swap: SwapId) -> io::Result<()> {
        self.call(|contents| {
            contents.files.remove(&swap);
        })
    }

    fn probe(&self) -> io::Result<()> {
        self.call(|_| ())
    }

    fn swaps(&self) -> io::Result<Vec<SwapId>> {
        self.call(|contents| contents.files.keys().copied().collect())
    }
}

fn swap(number: u8) -> SwapId {
    SwapId([number; 32])
}

fn file(number: u8, text: &str) -> (SwapId, String) {
    (swap(number), text.into())
}

fn eventually(what: &str, reached: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !reached() {
        assert!(Instant::now() < limit, "{what}: not within 20 s");
        thread::yield_now();
    }
}

fn begin(mount: &Mount, clock: &Arc<Hand>) -> Copies {
    Copies::begin(mount.clone(), clock.clone(), |_| false)
}

/// Copies one file, then lets the folder hang in the next call.
fn copied_then_hanging(mount: &Mount, copies: &Copies) {
    copies.keep(swap(1), "first".into());
    eventually("the first copy", || mount.files() == [file(1, "first")]);
    mount.set(|contents| contents.hangs = true);
    copies.keep(swap(1), "second".into());
    mount.wait_until_it_hangs();
}

#[test]
fn a_folder_that_hangs_is_named_with_the_time_and_no_more_once_it_answers() {
    let (mount, clock) = (Mount::hanging(), Hand::at(BEGAN));
    let copies = begin(&mount, &clock);
    mount.wait_until_it_hangs();
    clock.forward(29);
    assert_eq!(copies.problem(), None, "it may be slow");
    clock.forward(1);
    let problem = copies.problem();
    assert_eq!(
        problem.as_deref(),
        Some("/mnt/usb: it has not answered since 1970-01-01T00:16:40Z")
    );
    clock.forward(3_600);
    assert_eq!(copies.problem(), problem, "the time is that of the call that hangs");
    mount.release();
    eventually("no problem", || copies.problem().is_none());
}

#[test]
fn while_the_folder_hangs_files_are_taken_at_once_and_the_newest_of_each_swap_is_copied_when_it_answers() {
    let (mount, clock) = (Mount::default(), Hand::at(BEGAN));
    let copies = begin(&mount, &clock);
    copied_then_hanging(&mount, &copies);
    for version in 0..100 {
        copies.keep(swap(1), format!("of one, {version}").into());
        copies.keep(swap(2), format!("of two, {version}").into());
    }
    assert_eq!(mount.files(), [file(1, "first")]);
    assert_eq!(locked(&copies.desk).waiting.len(), 2, "one version of each swap waits");

    mount.release();
    let newest = [file(1, "of one, 99"), file(2, "of two, 99")];
    eventually("the newest versions", || mount.files() == newest);
    let written = mount.set(|contents| contents.written.clone());
    assert_eq!(written, ["first", "second", "of one, 99", "of two, 99"]);
    eventually("nothing to do", || locked(&copies.desk).waiting.is_empty());
}

#[test]
fn a_swap_that_ends_while_the_folder_hangs_leaves_no_copy_and_nothing_to_remember() {
    let (mount, clock) = (Mount::default(), Hand::at(BEGAN));
    let copies = begin(&mount, &clock);
    copied_then_hanging(&mount, &copies);
    copies.remove(swap(1));
    for other in 2..=200 {
        copies.keep(swap(other), "never copied".into());
        copies.remove(swap(other));
    }
    assert_eq!(
        locked(&copies.desk).waiting.len(),
        1,
        "what waits is the removal of the one file that is there"
    );
    mount.release();
    eventually("an empty folder", || mount.files().is_empty());
    eventually("nothing to remember", || {
        let desk = locked(&copies.desk);
        desk.waiting.is_empty() && desk.there.is_empty()
    });
    let written = mount.set(|contents| contents.written.clone());
    assert_eq!(written, ["first", "second"]);
}

#[test]
fn a_folder_that_fails_is_named_with_the_reason_and_gets_everything_once_it_works() {
    let (mount, clock) = (Mount::default(), Hand::at(BEGAN));
    mount.set(|contents| contents.fails = Some("no such device"));
    let copies = begin(&mount, &clock);
    copies.keep(swap(1), "one".into());
    eventually("a problem", || copies.problem().is_some());
    assert_eq!(copies.problem().as_deref(), Some("/mnt/usb: no such device"));
    assert!(
        locked(&copies.desk).there.is_empty(),
        "a folder that fails a trial is given no file"
    );
    mount.set(|contents| contents.fails = None);
    copies.keep(swap(2), "two".into());
    eventually("both copies", || mount.files() == [file(1, "one"), file(2, "two")]);
    eventually("no problem", || copies.problem().is_none());
}

#[test]
fn files_of_swaps_that_were_over_before_the_start_are_taken_away_and_no_others() {
    let (mount, clock) = (Mount::default(), Hand::at(BEGAN));
    mount.set(|contents| contents.files.extend([file(1, "over"), file(2, "running")]));
    let _copies = Copies::begin(mount.clone(), clock, |id| id == swap(1));
    eventually("the file that stays", || mount.files() == [file(2, "running")]);
}

#[test]
fn to_stop_waits_for_no_call_that_hangs_and_the_thread_ends_with_that_call() {
    let (mount, clock) = (Mount::hanging(), Hand::at(BEGAN));
    let copies = begin(&mount, &clock);
    mount.wait_until_it_hangs();
    drop(copies);
    assert_eq!(Arc::strong_count(&mount.0), 2, "the thread is still in the folder");
    mount.release();
    eventually("the thread's end", || Arc::strong_count(&mount.0) == 1);
}
