//! Cuts a stream of concatenated JPEGs into whole pictures.

use bytes::Bytes;

/// Longest JPEG that is cut out of a stream; a longer one is given up.
pub const FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most marker segments of one JPEG in a stream. It bounds the work of looking for the next
/// picture after a broken header.
pub const SEGMENTS_MAX: u32 = 1024;

/// Where the parser stands within a picture (ITU-T T.81 §B.1 and §B.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Outside of a picture, looking for FF D8 FF.
    Between,
    /// At a marker, after SOI or a marker segment.
    Marker,
    /// Within entropy-coded data.
    Scan,
}

/// What one step of the parser found.
enum Step {
    /// More bytes are needed.
    Starved,
    /// The state changed; go on.
    Moved,
    /// A whole picture ends before `pos`.
    Whole,
}

/// An incremental cutter: bytes of any chunking in, whole JPEGs (SOI to EOI) out.
///
/// Markers are followed by their lengths, so a thumbnail within a header is no picture of its own.
/// Bytes between pictures are skipped; a picture that breaks off is dropped, counted, and the
/// next one found. It holds at most [`FRAME_BYTES_MAX`] bytes.
#[derive(Debug)]
pub struct Cutter {
    /// The picture under way, from its SOI.
    held: Vec<u8>,
    /// How far `held` is parsed.
    pos: usize,
    state: State,
    scans: u32,
    segments: u32,
    skipped_bytes: u64,
    broken: u64,
    /// Stream position of the first byte of `held`.
    origin: u64,
    /// Stream position of the picture that was handed out last.
    last_origin: u64,
}

impl Default for Cutter {
    fn default() -> Self {
        Cutter::new()
    }
}

impl Cutter {
    /// A cutter at the beginning of a stream.
    pub fn new() -> Cutter {
        Cutter {
            held: Vec::new(),
            pos: 0,
            state: State::Between,
            scans: 0,
            segments: 0,
            skipped_bytes: 0,
            broken: 0,
            origin: 0,
            last_origin: 0,
        }
    }

    /// Takes bytes from the front of `input` until a picture is whole (then returns it) or the
    /// input is empty. Call again while it returns pictures.
    pub fn cut(&mut self, input: &mut &[u8]) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.advance() {
                return Some(frame);
            }
            if input.is_empty() {
                return None;
            }
            // Small bites keep the copy that is left over after a picture small.
            let room = FRAME_BYTES_MAX.saturating_sub(self.held.len()).max(1);
            let (bite, rest) = input.split_at(input.len().min(16 * 1024).min(room));
            self.held.extend_from_slice(bite);
            *input = rest;
        }
    }

    /// The stream ends here. A picture under way is given up; whole ones that its broken header
    /// seemed to cover are returned, so call until there is none. Then the cutter is ready for
    /// another stream.
    pub fn end_of_stream(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.advance() {
                return Some(frame);
            }
            if self.state == State::Between {
                break;
            }
            self.give_up();
        }
        self.discard(self.held.len());
        self.origin = 0;
        None
    }

    /// Bytes that belonged to no whole picture.
    pub fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// Pictures that began and were given up: cut short, malformed, or too long.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// Position in the stream of the first byte of the picture that was returned last.
    pub fn last_origin(&self) -> u64 {
        self.last_origin
    }

    fn advance(&mut self) -> Option<Bytes> {
        loop {
            let step = match self.state {
                State::Between => self.find_start(),
                State::Marker => self.read_marker(),
                State::Scan => self.read_scan(),
            };
            match step {
                Step::Moved => {}
                Step::Whole => return Some(self.take_frame()),
                Step::Starved if self.held.len() >= FRAME_BYTES_MAX => {
                    // Looking again within 8 MiB could go on for ever with hostile input.
                    self.broken += 1;
                    self.discard(self.held.len());
                }
                Step::Starved => return None,
            }
        }
    }

    fn find_start(&mut self) -> Step {
        let start = self.held.windows(3).position(|three| three == [0xff, 0xd8, 0xff]);
        match start {
            Some(at) => {
                self.discard(at);
                self.begin();
                Step::Moved
            }
            None => {
                // The last two bytes may be the beginning of a start.
                self.discard(self.held.len().saturating_sub(2));
                Step::Starved
            }
        }
    }

    fn begin(&mut self) {
        self.pos = 2;
        self.state = State::Marker;
        self.scans = 0;
        self.segments = 0;
    }

    fn read_marker(&mut self) -> Step {
        let Some(&first) = self.held.get(self.pos) else {
            return Step::Starved;
        };
        if first != 0xff {
            return self.give_up();
        }
        // Any number of FF may fill up before a marker (§B.1.1.2).
        while self.held.get(self.pos + 1) == Some(&0xff) {
            self.pos += 1;
        }
        let Some(&code) = self.held.get(self.pos + 1) else {
            return Step::Starved;
        };
        match code {
            0xd9 if self.scans > 0 => {
                self.pos += 2;
                Step::Whole
            }
            // A second frame header: the scan before it had swallowed the start of another picture.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf if self.scans > 0 => self.give_up(),
            0xc0..=0xc7 | 0xc9..=0xcf | 0xda..=0xdf | 0xe0..=0xef | 0xfe => self.skip_segment(code),
            _ => self.give_up(),
        }
    }

    fn skip_segment(&mut self, code: u8) -> Step {
        let Some(length) = self.held.get(self.pos + 2..self.pos + 4) else {
            return Step::Starved;
        };
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let end = self.pos + 2 + length;
        if length < 2 || self.segments >= SEGMENTS_MAX {
            return self.give_up();
        }
        if self.held.len() < end {
            return Step::Starved;
        }
        self.pos = end;
        self.segments += 1;
        if code == 0xda {
            self.scans += 1;
            self.state = State::Scan;
        }
        Step::Moved
    }

    fn read_scan(&mut self) -> Step {
        while let Some(at) = memchr::memchr(0xff, &self.held[self.pos..]) {
            self.pos += at;
            match self.held.get(self.pos + 1) {
                None => return Step::Starved,
                // A stuffed zero and the restart markers belong to the data (§F.1.2.3).
                Some(0x00 | 0xd0..=0xd7) => self.pos += 2,
                Some(0xff) => self.pos += 1,
                Some(_) => {
                    self.state = State::Marker;
                    return Step::Moved;
                }
            }
        }
        self.pos = self.held.len();
        Step::Starved
    }

    /// Drops the picture under way. Its header may have swallowed the next picture's start, so
    /// that part is looked through again; scan data is not, it was seen to hold no start.
    fn give_up(&mut self) -> Step {
        self.broken += 1;
        let again = if self.scans == 0 { 2 } else { self.pos };
        self.discard(again);
        Step::Moved
    }

    /// Forgets the first `count` bytes held and stands between pictures.
    fn discard(&mut self, count: usize) {
        self.held.drain(..count);
        self.skipped_bytes += count as u64;
        self.origin += count as u64;
        self.pos = 0;
        self.state = State::Between;
    }

    fn take_frame(&mut self) -> Bytes {
        let rest = self.held.split_off(self.pos);
        let frame = std::mem::replace(&mut self.held, rest);
        self.last_origin = self.origin;
        self.origin += frame.len() as u64;
        self.pos = 0;
        self.state = State::Between;
        Bytes::from(frame)
    }
}
