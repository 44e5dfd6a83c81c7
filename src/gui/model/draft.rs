//! What is being written to a peer, kept while other conversations are open.

use std::sync::Arc;

use crate::gui::talk::{Outgoing, Staged};
use crate::node::history::{MessageId, Target};
use crate::node::limits::TEXT_BYTES_MAX;

/// Files and pictures that may wait in one composer.
pub const STAGED_MAX: usize = 16;

/// Bytes of a text from which on it is told how many are left.
pub const TEXT_NEAR: u64 = TEXT_BYTES_MAX - 4_096;

/// A text is kept for the next start when it was not for so many ms.
pub const KEEP_MS: i64 = 2_000;

/// One composer's contents.
#[derive(Default)]
pub struct Draft {
    /// The text.
    pub text: String,
    /// The message that it answers.
    pub reply_to: Option<Target>,
    /// The message of ours whose text it changes.
    pub editing: Option<MessageId>,
    /// Files and pictures that go with it.
    pub staged: Vec<Arc<Staged>>,
    /// What the first picture is to hide; none while nothing is to be hidden.
    pub hide: Option<String>,
    /// What was being written before a message is changed.
    before: String,
    /// The text that is kept for the next start.
    kept: String,
    /// Since when the text is another one.
    changed_ms: Option<i64>,
}

// contents stay out of logs
impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Draft({} bytes, {} files)", self.text.len(), self.staged.len())
    }
}

impl Draft {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.staged.is_empty()
    }

    /// Takes a file or picture that was looked at.
    pub fn stage(&mut self, staged: Arc<Staged>) {
        if self.staged.len() < STAGED_MAX {
            self.staged.push(staged);
        }
    }

    /// Begins to change a message of ours.
    pub fn edit(&mut self, id: MessageId, text: String) {
        self.reply_to = None;
        if self.editing.replace(id).is_none() {
            self.before = std::mem::take(&mut self.text);
        }
        self.text = text;
    }

    /// Neither answers nor changes anything any more.
    pub fn let_go(&mut self) {
        self.reply_to = None;
        if self.editing.take().is_some() {
            self.text = std::mem::take(&mut self.before);
        }
    }

    /// Whether the hidden text is longer than what the first picture can hide.
    pub fn hidden_too_long(&self) -> bool {
        let capacity = self.staged.iter().find_map(|staged| super::capacity(staged)).unwrap_or(0);
        self.hide.as_ref().is_some_and(|text| text.len() > capacity)
    }

    /// Whether the text is longer than a message can be.
    pub fn text_too_long(&self) -> bool {
        self.text.len() as u64 > TEXT_BYTES_MAX
    }

    /// Whether it can be sent as it is.
    pub fn can_send(&self) -> bool {
        !self.is_empty() && !self.hidden_too_long() && !self.text_too_long()
    }

    /// Takes all that is to be sent, in its order; what is left is empty.
    pub fn take(&mut self) -> Vec<(Outgoing, Option<Target>)> {
        if !self.can_send() {
            return Vec::new();
        }
        let draft = std::mem::take(self);
        self.kept.clone_from(&draft.kept);
        self.text.clone_from(&draft.before);
        let mut out = Vec::new();
        let mut hide = draft.hide.filter(|text| !text.is_empty());
        for staged in draft.staged {
            let hidden = if super::capacity(&staged).is_some() { hide.take() } else { None };
            out.push((Outgoing::Staged(staged, hidden), draft.reply_to));
        }
        if !draft.text.trim().is_empty() {
            let what = match draft.editing {
                Some(id) => Outgoing::Edit(id, draft.text),
                None => Outgoing::Text(draft.text),
            };
            out.push((what, draft.reply_to));
        }
        out
    }

    /// Takes what was being written before the start.
    pub fn restore(&mut self, text: String) {
        if self.text.is_empty() && self.editing.is_none() {
            self.text.clone_from(&text);
        }
        self.kept = text;
    }

    /// The text to keep for the next start, where that is due: at once without a time. Another text for a message that was
    /// sent is none.
    pub fn to_keep(&mut self, now_ms: Option<i64>) -> Option<String> {
        let text = if self.editing.is_some() { &self.before } else { &self.text };
        if *text == self.kept || text.len() as u64 > TEXT_BYTES_MAX {
            self.changed_ms = None;
            return None;
        }
        let due = now_ms.is_none_or(|now_ms| now_ms - *self.changed_ms.get_or_insert(now_ms) >= KEEP_MS);
        // What was sent is taken away at once.
        (due || text.is_empty()).then(|| {
            self.changed_ms = None;
            self.kept.clone_from(text);
            self.kept.clone()
        })
    }

    /// Whether there is something to keep later.
    pub fn waits(&self) -> bool {
        self.changed_ms.is_some()
    }

    /// Takes back what could not be sent; what was written meanwhile stays.
    pub fn take_back(&mut self, text: Option<String>, staged: Option<Arc<Staged>>) {
        match (text, staged) {
            (hidden, Some(staged)) => {
                self.staged.insert(0, staged);
                if self.hide.as_deref().unwrap_or_default().is_empty() {
                    self.hide = hidden;
                }
            }
            (Some(text), None) if self.text.is_empty() => self.text = text,
            (Some(text), None) => self.text = format!("{text}\n{}", self.text),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::sample::line;
    use super::*;
    use crate::gui::talk::StagedBody;

    fn picture(capacity: usize) -> Arc<Staged> {
        let preview = Arc::new(egui::ColorImage::example());
        Arc::new(Staged {
            name: "a.png".into(),
            bytes: 1,
            body: StagedBody::Picture { file: vec![1], preview, capacity },
        })
    }

    #[test]
    fn nothing_but_white_space_is_not_sent() {
        let mut draft = Draft { text: " \n ".into(), ..Draft::default() };
        assert!(!draft.can_send());
        assert!(draft.take().is_empty());
        assert_eq!(draft.text, " \n ", "and stays");
    }

    #[test]
    fn pictures_go_before_the_text_and_the_first_hides() {
        let mut draft = Draft { text: "see".into(), reply_to: Some(line(1).target), ..Draft::default() };
        draft.stage(Arc::new(Staged { name: "f".into(), bytes: 1, body: StagedBody::File("f".into()) }));
        draft.stage(picture(10));
        draft.stage(picture(10));
        draft.hide = Some("secret".into());
        let taken = draft.take();
        assert!(matches!(&taken[0].0, Outgoing::Staged(_, None)));
        assert!(matches!(&taken[1].0, Outgoing::Staged(_, Some(text)) if text == "secret"));
        assert!(matches!(&taken[2].0, Outgoing::Staged(_, None)));
        assert!(matches!(&taken[3], (Outgoing::Text(text), Some(_)) if text == "see"));
        assert!(draft.is_empty() && draft.reply_to.is_none());
    }

    #[test]
    fn a_hidden_text_that_does_not_fit_holds_the_sending_up() {
        let mut draft = Draft::default();
        draft.stage(picture(5));
        draft.hide = Some("sechs!".into());
        assert!(draft.hidden_too_long() && !draft.can_send());
        draft.hide = Some("fünf".into());
        assert!(draft.can_send());
    }

    #[test]
    fn a_text_has_its_bound() {
        let most = usize::try_from(TEXT_BYTES_MAX).unwrap();
        let mut draft = Draft { text: "a".repeat(most), ..Draft::default() };
        assert!(draft.can_send());
        draft.text.push('a');
        assert!(draft.text_too_long() && draft.take().is_empty());
    }

    #[test]
    fn what_is_written_is_kept_now_and_then_and_gone_once_it_is_sent() {
        let mut draft = Draft::default();
        assert_eq!(draft.to_keep(Some(0)), None);
        draft.text = "a".into();
        assert_eq!(draft.to_keep(Some(0)), None);
        assert!(draft.waits());
        draft.text = "ab".into();
        assert_eq!(draft.to_keep(Some(KEEP_MS - 1)), None);
        assert_eq!(draft.to_keep(Some(KEEP_MS)).as_deref(), Some("ab"));
        assert_eq!(draft.to_keep(Some(9 * KEEP_MS)), None, "it is kept");
        draft.text = "abc".into();
        assert_eq!(draft.to_keep(None).as_deref(), Some("abc"), "whoever leaves does not wait");
        assert_eq!(draft.take().len(), 1);
        assert_eq!(draft.to_keep(Some(0)).as_deref(), Some(""), "nor does what was sent");
        draft.edit(line(1).target.id, "before".into());
        assert_eq!(draft.to_keep(None), None, "another text for a message is no draft");
        draft.let_go();
        draft.restore("from the last time".into());
        assert_eq!(draft.to_keep(None), None);
        assert_eq!(draft.text, "from the last time");
        draft.text = "newer".into();
        draft.restore("late".into());
        assert_eq!(draft.text, "newer");
    }

    #[test]
    fn what_could_not_be_sent_comes_back_beside_what_was_written_since() {
        let mut draft = Draft { text: "new".into(), ..Draft::default() };
        draft.take_back(Some("old".into()), None);
        assert_eq!(draft.text, "old\nnew");
        draft.take_back(Some("secret".into()), Some(picture(9)));
        assert_eq!((draft.staged.len(), draft.hide.as_deref()), (1, Some("secret")));
    }

    #[test]
    fn an_edit_that_is_given_up_leaves_no_text() {
        let mut draft = Draft::default();
        draft.edit(line(1).target.id, "before".into());
        assert!(matches!(draft.take()[0].0, Outgoing::Edit(..)));
        draft.edit(line(1).target.id, "before".into());
        draft.let_go();
        assert!(draft.is_empty() && draft.editing.is_none());
        // what was being written before comes back, sent or not
        for sends in [true, false] {
            draft.text = "half".into();
            draft.edit(line(1).target.id, "before".into());
            draft.edit(line(2).target.id, "other".into());
            if sends {
                assert_eq!(draft.take().len(), 1);
            } else {
                draft.let_go();
            }
            assert_eq!(draft.text, "half");
        }
    }
}
