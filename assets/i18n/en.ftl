# Every string of the desktop app in English. zh-CN.ftl has the same keys with the same values.

# before there is a node
starting = Starting …
start-title = Welcome to miyu
start-about = First you need an identity: a key that never leaves this machine. Others know you by its public half.
start-about-key = Your table is there, but the key that it names is not. A new key makes you somebody new to others: put the old one back if you have it.
start-name = Your name, as your own window shows it
start-lock = Lock the key with a passphrase
start-passphrase = Passphrase
start-passphrase-again = The same again
start-passphrase-differs = The two passphrases differ.
start-passphrase-about = It is asked for at each start. Nobody can recover it.
start-more = More
start-listen = Address and UDP port that you listen on
start-listen-form = Write an IP address with a port, as [::]:9999 or 192.168.1.12:9999
start-make = Make my identity
start-place = The table of your peers is kept in { $path }
locked-title = Your key is locked
locked-about = It lies in { $path }
locked-passphrase = Passphrase
locked-open = Open
broken-title = miyu cannot start
broken-again = Try again

# the first peer
welcome-title = You are ready
welcome-about = Give the other side your public key, and enter theirs. Both have to do it before you can talk.
own-key-title = Your public key
own-key-about = The other side puts this line into their table. It is no secret, but it must reach them unchanged.
own-key-copy = Copy
own-key-listen = You listen on UDP { $address }
own-key-reached = On this network others reach you at { $addresses }
own-key-qr = QR code of your public key
add-title = Add a peer
add-name = Name, as you call them
add-key = Their public key line
add-address = Their address and port
add-address-about = Leave it empty if they dial you. Several addresses are separated by commas.
add-camera = They may watch my camera
add-add = Add
dialog-close = Close

# the settings
settings-title = Settings
settings-language = Language
settings-system = as the system
settings-theme = Colours
settings-light = light
settings-dark = dark
settings-text-size = Size of text
settings-smaller = Smaller
settings-larger = Larger
settings-notifies = Tell me of messages when I do not look
settings-hides-content = without saying what they say
settings-quiet = but not during these hours
settings-quiet-from = From
settings-quiet-to = To
settings-quiet-form = Write a time as 22:00
notify-hidden = a new message

# a peer
peer-name = What you call them
peer-chat = They may send me messages
peer-save = Save
peer-safety = Safety number: both of you see the same one
peer-safety-about = Read it to each other on another way, such as the telephone. If it differs, somebody stands between you.
peer-verified = We have compared it, and it is the same
peer-accept = I know that the key has changed: it is right
peer-removes = I want to remove this peer; what was said stays stored
peer-remove = Remove

# the list
peers-title = Peers
peers-add = Add a peer
peers-own-key = Show my public key
peers-search = Search peers and messages
peers-none = Nobody yet
peers-unread = { $count ->
    [one] 1 unread message
   *[other] { $count } unread messages
}
peers-here = online
peers-here-rtt = online, { $ms } ms
peers-away = offline
peers-typing = is writing …
peers-draft = a draft waits
peers-failed = not delivered: { $text }
peers-ours = you: { $text }
search-running = Searching …
search-found = { $count ->
    [0] No message found
    [one] 1 message found
   *[other] { $count } messages found
}

# a conversation
conversation-none = Choose somebody to talk to.
conversation-loading = Loading …
conversation-empty = Nothing was said yet.
conversation-unread = not read yet
conversation-newest = newest
head-verified = The key was compared
head-key-changed = The table has another key under this name than before.
head-key-changed-about = If they have not told you of a new key, do not write anything until you have compared the safety number.
head-about = About this peer
head-why = Why are they not here?
day-today = Today
day-yesterday = Yesterday
kind-picture = picture
kind-clip = voice clip
kind-file = file
kind-deletion = taken back
reply-gone = a message that is no longer here
message-damaged = This message was changed on the disk and cannot be read.
message-edited = edited
message-menu = What to do with “{ $text }”
message-reply = Answer
message-copy = Copy
message-edit = Change
message-delete = Take back on both sides
message-save = Save as a file
message-forget = Delete here alone
message-cancel = Do not send
message-retry = Send again
message-give-up = Give up
reaction-ours = from you
reaction-theirs = from them
picture-open = Open picture { $name }
picture-whole = Whole picture
picture-loading = Picture, loading
hidden-open = A text is hidden in this picture: show it
hidden-close = Hide it again
state-queued = waiting
state-sending = sending
state-progress = sending, { $percent } %
state-delivered = delivered
state-read = read
state-failed = failed
state-failed-why = Not delivered: { $why }
state-received = received

# the composer
composer-hint = Write a message
composer-send = Send
composer-attach = Send a file or a picture
composer-answers = Answer to: { $text }
composer-edits = You are changing a message
composer-let-go = Leave it
composer-remove = Do not send { $name }
composer-hide = Hide a text in the picture
composer-hidden = The hidden text
composer-capacity = { $used } of { $room } bytes

# choosing a file
files-title = Choose a file
files-path = Folder
files-parent = one folder up

# the window
notice-close = Dismiss
notice-saved = Saved, in the clear, as { $path }
notice-open-folder = Show the folder
engine-busy = Too much at once: the last wishes were dropped.

# the keyboard
help-title = Keyboard
key-search = Search
key-previous = Conversation above
key-next = Conversation below
key-newest = To the newest message
key-add = Add a peer
key-settings = Settings
key-help = This list
key-send = Send
key-line = New line
key-tab = To the next control, with Shift to the one before
key-space = Press the control that has the focus
key-escape = Close the dialog, end the search, leave an answer or a change
key-paste = Paste text or a picture

# why can't I see them?
check-running = Trying to reach them …
check-again = Try again
check-holds = holds
check-fails = fails
check-unknown = not known
check-silence = Nothing has come in since the start, from nobody.
check-firewall = If they say that they dial you: open the UDP port in this machine's firewall.
check-heard = { $count ->
    [one] 1 datagram has come in.
   *[other] { $count } datagrams have come in.
}
check-strangers = { $count ->
    [one] 1 datagram came from somebody who does not know your key.
   *[other] { $count } datagrams came from somebody who does not know your key.
}
check-strangers-mend = If that was them, their table has an old or mistyped key of yours: give them the line again.
check-address = The table has an address for them.
check-dialled = The table has no address for them, but they dial you.
check-no-address = The table has no address for them: you wait until they dial you.
check-reached = They answered within { $ms } ms ({ $suite }).
check-not-reached = They could not be reached just now.
check-clock = Both clocks agree.
check-clock-off = The two clocks are { $seconds } seconds apart: set them by the network.

# clips
clip-play = Play the clip of { $length }
clip-pause = Pause the clip of { $length }
clip-place = Place in the clip
sound-absent = Recording and playing are not in this build
recorder-record = Record a voice clip: click, or hold while you speak
recorder-finish = End the recording and keep it
recorder-give-up = Cancel the recording
recorder-level = Level of the microphone
recorder-opening = The microphone is being opened …
recorder-left = { $seconds } s left, for { $name }
recorder-ending = One moment …
recorder-gaps = The clip has gaps: listen to it before you send it.
recorder-quiet = Hardly anything is to be heard: is it the right microphone?
