//! What is being written to a peer, kept while other conversations are open.

use std::sync::Arc;

use crate::gui::talk::{Outgoing, Staged};
use crate::node::history::{MessageId, Target};

/// Files and pictures that may wait in one composer.
pub const STAGED_MAX: usize = 16;

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
        self.editing = Some(id);
        self.text = text;
    }

    /// Neither answers nor changes anything any more.
    pub fn let_go(&mut self) {
        self.reply_to = None;
        if self.editing.take().is_some() {
            self.text.clear();
        }
    }

    /// Bytes of the hidden text beyond what the first picture can hide.
    pub fn hidden_too_long(&self) -> bool {
        let capacity = self.staged.iter().find_map(|staged| super::capacity(staged)).unwrap_or(0);
        self.hide.as_ref().is_some_and(|text| text.len() > capacity)
    }

    /// Whether it can be sent as it is.
    pub fn can_send(&self) -> bool {
        !self.is_empty() && !self.hidden_too_long()
    }

    /// Takes all that is to be sent, in its order; what is left is empty.
    pub fn take(&mut self) -> Vec<(Outgoing, Option<Target>)> {
        if !self.can_send() {
            return Vec::new();
        }
        let draft = std::mem::take(self);
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

    /// Takes back what could not be sent; what was written meanwhile stays.
    pub fn take_back(&mut self, text: Option<String>, staged: Option<Arc<Staged>>) {
        match (text, staged) {
            (hidden, Some(staged)) => {
                self.staged.insert(0, staged);
                if self.hide.is_none() {
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
    }
}
