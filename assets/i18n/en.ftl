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
peer-safety-about = Read it to each other by another way, such as the telephone. If it differs, somebody stands between you.
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
peers-here-rtt = { $ms ->
    [0] online, < 1 ms
   *[other] online, { $ms } ms
}
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
key-seek = Back and on in a clip whose wave form has the focus, to its beginning and its end

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

# what the system answers, put in below
system-not-found = it is not there
system-not-allowed = this user may not do that
system-exists = it is there already
system-full = the disk is full
system-read-only = the disk is read-only
system-in-use = another program uses it
system-no-such-address = this machine has no such address
system-no-folder = it is no folder

# why a link ended
away-closed = They have closed the connection.
away-silent = Nothing is heard from them any more.
    .mend = Their machine may sleep, be switched off, or have left the network. miyu goes on trying.
away-other = The connection has ended: { $what }

# why a message failed
refused-not-allowed = they do not allow it
refused-too-large = it is too large for them
refused-conflict = they have another message of the same number
refused-no-room = their disk has no room
refused-damaged = it was damaged on the way
refused-busy = they are busy
refused-no-camera = they publish no camera
refused-store = they could not store it
refused-not-receiving = nobody takes messages there just now
refused-protocol = the two programs do not understand each other
failed-unreadable = the copy on this disk cannot be read
failed-other = { $what }

# faults, each with its mend where there is one
fault-other = Something went wrong: { $what }
fault-task = A part of miyu has failed.
    .mend = Try again. If it comes back, start miyu again.
fault-stopped = miyu is ending.
fault-no-peer = Your table has nobody called “{ $peer }”.
    .mend = They may have been renamed or removed meanwhile.
fault-no-address = Your table has no address for { $peer }, and they have not dialled you.
    .mend = Enter the address of { $peer }, or have them enter yours.
fault-resolve = The name { $host } is not found in the network: { $what }
    .mend = Check its spelling, or enter the IP address instead.
fault-nothing-heard = Nothing is heard from { $peer } at { $address }.
    .mend = Does miyu run there, are address and port right, does a firewall let it through? They also stay silent if their key is not the one in your table: compare { $key }
fault-not-in-their-table = { $peer } has refused: your key is not in their table.
    .mend = Give them your line, for them to add: { $key }
fault-impostor = Whoever answers for { $peer } at { $address } does not have their key.
    .mend = Do not trust that address. Ask them which machine it is.
fault-handshake = No connection to { $peer } could be set up: { $what }
    .mend = Do both of you run the same version of miyu?
fault-closed = { $peer } has closed the connection: { $what }
fault-local = This machine cannot reach { $peer }: { $what }
    .mend = Look whether its network is connected.
fault-watch-not-allowed = { $peer } does not let you watch their camera.
    .mend = They can allow it where they have your name and key.
fault-watch-no-camera = { $peer } publishes no camera just now.
    .mend = A camera is published there with “miyu camera”.
fault-watch-refused = { $peer } shows no picture: { $why }.
    .mend = Try again in a moment.
fault-watch-broken = The picture from { $peer } could not be opened: { $what }
    .mend = Try again in a moment.
fault-port = UDP port { $port } cannot be had on { $address }: { $why }.
    .mend = Another program may use it, perhaps another miyu: end it, or choose another “listen” in your table.
fault-folder = The folder { $path } cannot be used: { $why }.
    .mend = Make it writable for this user.
fault-folder-list = The folder { $path } cannot be looked into: { $why }.
fault-folder-sent = { $path } is a folder.
    .mend = Pack it into one file, such as a zip archive.
fault-file-read = { $path } cannot be read: { $why }.
fault-file-write = { $path } cannot be written: { $why }.
    .mend = Make it and its folder writable for this user.
fault-no-file = { $path } is no file.
    .mend = Choose a file, or pack a folder first.
fault-shrunk = { $path } has become shorter while it was read.
    .mend = Send it once nobody writes to it any more.
fault-settings = Your choices cannot be kept in { $path }: { $why }.
    .mend = Make the folder writable for this user.
fault-settings-read = Your choices, and whose safety numbers you compared, could not be read: { $why }. That file is kept as { $path }.
    .mend = Compare the safety numbers again, or close the app, mend that file and put it back.
fault-gone = This message is no longer there.
fault-empty = There is nothing to send.
fault-too-large = It has { $size }; at most { $most } are possible.
    .mend = Send it in parts, or as a file.
fault-reaction-too-large = A reaction of { $size } is too long; at most { $most } are possible.
    .mend = An emoji or a word will do.
fault-does-not-fit = The hidden text has { $bytes } bytes; this picture can hide { $room }.
    .mend = Shorten the text, or take a larger picture with more detail.
fault-hidden-long = The hidden text has { $bytes } bytes, which is too long for any picture.
    .mend = Shorten the text.
fault-nothing-hidden = Nothing was found in this picture.
fault-not-text = The text cannot be read.
fault-not-possible = That cannot be done with this message any more.
fault-clip = The clip cannot be sent: { $what }
    .mend = WAV of up to a minute can be sent; anything else goes as a file.
fault-picture = The picture cannot be used: { $what }
    .mend = Send it as a file instead.
fault-picture-unknown = This is no picture that miyu knows.
    .mend = PNG, JPEG and other usual kinds are known; anything else goes as a file.
fault-picture-damaged = The picture is damaged.
    .mend = Have it sent again.
fault-picture-cut = The picture is cut short.
    .mend = Have it sent again.
fault-picture-long = The picture file has { $size }, which is too large.
    .mend = Send it as a file instead.
fault-picture-large = A picture of { $width } × { $height } pixels is too large to be shown.
    .mend = Save it, and open it with another program.
fault-picture-memory = The picture needs too much memory to be shown.
    .mend = Save it, and open it with another program.
fault-disk-full = The disk of { $path } is full: { $free } are free.
    .mend = Free some space, or move the data folder to another disk.
fault-quota-full = Your history is full: { $used } of { $quota } are taken, { $size } more do not fit.
    .mend = Delete messages, or raise “quota_gib” under [history] in your table.
fault-not-stored-disk = Messages for you cannot be stored: the disk is full, { $free } are free.
    .mend = Free some space. They are sent again by themselves.
fault-not-stored-quota = Messages for you cannot be stored: { $used } of { $quota } are taken.
    .mend = Delete messages, or raise “quota_gib” under [history] in your table. They are sent again by themselves.
fault-store = The history could not do that: { $what }
fault-database = The history in { $path } is damaged, or its disk fails.
    .mend = Look whether the disk is full or failing. If it is sound, put a copy of your data folder back.
fault-no-database = { $path } is no history of miyu.
    .mend = Choose another data folder.
fault-newer = The history in { $path } was written by a newer miyu.
    .mend = Update this one.
fault-locked = Another program holds the history in { $path }.
    .mend = End it, and try again.
fault-in-use = Another miyu works with { $path } already.
    .mend = End the other one: only one at a time can use your history.
fault-history-key-missing = The key of your history is missing: { $path }
    .mend = Put it back from a copy of the data folder. Without it nothing in the history can be opened.
fault-history-key-damaged = The key of your history is damaged: { $path }
    .mend = Put it back from a copy of the data folder. Without it nothing in the history can be opened.
fault-history-key-foreign = This history belongs to another identity: { $path }
    .mend = Use the key that it was made with, or another data folder.
fault-message-changed = What is stored of this message was changed on the disk.
    .mend = Put a copy of the data folder back, or have it sent again.
fault-key-file = The key file { $path } cannot be used: { $why }.
fault-key-open = The key file { $path } is open to others (mode { $mode }).
    .mend = Take that right from them: chmod 600 { $path }
fault-key-exists = { $path } is there already; a key is never overwritten.
    .mend = Move the old key away first.
fault-key-public = The key file holds a public key, not the private one.
    .mend = Name the file of your private key in your table.
fault-key-locked = The key is locked with a passphrase.
fault-passphrase = The passphrase is wrong.
    .mend = Watch capital letters and the keyboard's language.
fault-key-encryption = The key file is locked in a way that miyu does not open: { $what }
    .mend = Lock it anew with “miyu key passwd” or with openssl (SM4-CBC).
fault-key-other = The key file holds another kind of key: { $what }
    .mend = miyu needs an SM2 key.
fault-key-damaged = The key file is damaged: { $what }
    .mend = Put it back from a copy.
fault-line-prefix = A public key line begins with “sm2:”.
    .mend = Copy the whole line from the other side.
fault-line-letters = There is a character in the line that no public key has.
    .mend = Copy the whole line from the other side, without spaces.
fault-line-length = The line holds { $bytes } bytes instead of 33: was it cut, or pasted twice?
    .mend = Copy the whole line from the other side.
fault-line-typo = The line is no public key: is a character mistyped?
    .mend = Copy the whole line from the other side.
fault-address-no-port = “{ $address }” has no port.
    .mend = Write it as 192.168.1.12:9999
fault-address-port = “{ $address }” has a port that there is not.
    .mend = A port is a number from 1 to 65535; miyu's own is 9999.
fault-address-brackets = “{ $address }” is no IPv6 address with a port.
    .mend = Write it as [fd00::12]:9999
fault-address-host = “{ $address }” has neither a name nor an IP address before the port.
    .mend = Write it as 192.168.1.12:9999 or bob.lan:9999
fault-table = Your table { $path } has a fault: { $what }
    .mend = Mend it with a text editor.
fault-table-line = Your table { $path } has a fault in line { $line }: { $what }
    .mend = Mend it with a text editor.
fault-table-several = Your table has { $count } faults. The first: { $what }
fault-table-changed = Your table was changed outside of miyu and has a fault, so the one before still holds. { $what }
    .mend = Mend it with a text editor; it is read again by itself.
fault-table-restart = What your table says of yourself, the links or the history was changed.
    .mend = Start miyu again for that to hold.
fault-table-unreadable = Your table cannot be changed, as it cannot be read: { $what }
    .mend = Change it with a text editor.
fault-table-exists = { $path } is there already; a table is never overwritten.
fault-table-busy = Another program changes your table just now.
    .mend = Close the editor that has it open, and try again.
slip-name-empty = They need a name.
slip-name-long = The name is too long.
slip-name-misleading = The name has a character that is not seen, or a space at an end.
    .mend = Type it anew.
slip-name-taken = The name “{ $name }” is taken.
    .mend = Give each peer a name of its own, and another one than yours.
slip-key-taken = This is the key of “{ $name }”, whom you have already.
    .mend = Ask both for their line: one of the two is a slip.
slip-own-key = The key of “{ $name }” is your own.
    .mend = Enter the line of the other side.
slip-addresses = These are too many addresses for one peer.
    .mend = Keep the best ones.
slip-peers = Your table is full.
    .mend = Remove peers whom you do not need any more.
# more of the list, the conversation and the composer
peers-rtt = { $ms ->
    [0] < 1 ms
   *[other] { $ms } ms
}
peers-none-about = Add somebody with the plus above.
conversation-none-about = Or add somebody new with the plus above the list.
conversation-empty-about = Write the first message below.
conversation-fresh = { $count ->
    [one] 1 new message
   *[other] { $count } new messages
}
head-back = Back to the list
quote-ours = You
quote-jump = Go to the message that this answers: { $text }
text-more = Show more, { $count } characters are left
link-title = Open this page?
link-about = Somebody has sent you this address. It is opened in your browser, outside of miyu.
link-yes = Open
link-copy = Copy the address
link-open = Open { $link }
reaction-say = React with { $text }
reaction-other = Another reaction
reaction-too-long = This is too long for a reaction.
progress-bytes = { $sent } of { $total }
file-save = Save
composer-emoji = Emoji
composer-too-long = This text is { $over } bytes too long: send it in parts, or as a file.
composer-left = { $left } bytes left
composer-full = That is { $count } files, as many as go at once.
hidden-left = { $left } of { $room } bytes left
hidden-over = { $over } bytes too long: the picture can hide { $room }. Shorten the text or take a larger picture.
drop-here = Drop it here to send it to { $name }
picture-larger = Larger
picture-smaller = Smaller
picture-help = Wheel, + and − change the size, 0 shows the whole picture
key-edit-last = Change your last message, while nothing is written
key-menu = What to do with a message: also a click with the right button
key-zoom = Size of an opened picture, and the whole of it
files-none = This folder has no files that are shown.

# cameras
camera-title = Cameras
camera-back = Back to the conversation
camera-all = All
camera-none = No camera is chosen. Cameras are peers that run “miyu camera”.
camera-open = Camera of { $name }: show
camera-open-lost = Camera of { $name }, no signal: show
camera-picture = Picture of the camera of { $name }
camera-frame = Frame { $seq }
camera-figures = { $width } × { $height } · { $rate } frames/s · { $lost } lost, { $late } late
camera-latency = Latency { $whole } ms, ± { $error }: encoded { $encoded } · received { $received } · decoded { $decoded } · drawn { $drawn }
camera-opening = Connecting to the camera …
camera-paused = Paused
camera-lost = No signal since { $time }: { $why }
camera-silent = No signal since { $time }
camera-pause = Pause
camera-resume = Go on
camera-full = Full screen
camera-leave-full = Leave full screen
camera-snapshot = Keep this picture as a file
head-camera = Show the camera
key-cameras = Cameras, and back
key-full-screen = A camera over the whole screen, and back
fault-sound-absent = Recording and playing are not in this build of miyu.
    .mend = Take a build with the feature “audio”.
fault-clip-long = The clip is longer than a minute, or too large.
    .mend = Save it, and open it with another program.
fault-clip-unknown = This is no WAV file.
    .mend = Save it, and open it with another program.
fault-clip-cut = The clip is cut short.
    .mend = Have it sent again.
fault-clip-format = Clips of this kind cannot be played: { $what }
    .mend = Save it, and open it with another program.
fault-clip-empty = There is nothing in the clip.
    .mend = Have it recorded again.
fault-clip-damaged = The clip is damaged.
    .mend = Have it sent again.
fault-sound-none = There is no sound system here: { $why }
    .mend = Start the sound server (PipeWire or PulseAudio), or look whether your account may use sound.
fault-microphone-none = There is no microphone.
    .mend = Plug one in.
fault-speaker-none = There is no speaker.
    .mend = Plug in a speaker or headphones.
fault-sound-unknown = Your table names the sound device “{ $wanted }”, which is not there. There are: { $names }
    .mend = Write one of these under [sound] in your table, or leave it out for the system's own choice.
fault-sound-busy = Another program has { $device }.
    .mend = End it, and try again.
fault-sound-denied = You may not use { $device }: { $why }
    .mend = Allow it in the system's privacy settings; on Linux without a sound server, join the group audio.
fault-sound-gone = { $device } is not there, or no longer: { $why }
    .mend = Plug it in again, or choose another in the system's sound settings.
fault-sound-failed = { $device } cannot be used: { $why }
    .mend = Choose another in the system's sound settings.
fault-microphone-stalled = Nothing comes from { $device }.
    .mend = Is it suspended, or does another program hold it? Choose another in the system's sound settings.
fault-speaker-stalled = { $device } takes no sound.
    .mend = Is the sound server suspended? Choose another in the system's sound settings.
fault-microphone-silent = { $device } gave nothing but silence.
    .mend = Is it muted? Is it the microphone that you speak into? The system's sound settings choose another.
fault-microphone-nothing = It was ended before { $device } gave any sound.
    .mend = Record a little longer.

# notifications
notify-open = Open
fault-notify = This desktop shows no notifications: { $what }
    .mend = The window has every message all the same.
fault-notify-system = Notifications are not made on this system yet.
    .mend = The window has every message all the same.

# ourselves, for others
own-key-copy-all = Copy all for the other side
own-key-copied = copied
peer-safety-code = QR code of the safety number
peer-us = you
add-about = Paste all that the other side has copied into the line of the key: the rest is filled in.
add-own-key = This is your own key.
    .mend = Paste the line of the other side.
check-us = This side
check-them = The other side
check-alone = You listen on UDP { $address } alone: only programs on this machine reach you. Write listen = "[::]:9999" under [me] in your table.
check-no-network = This machine has no address in any network: connect it.
check-firewall-macos = System Settings, Network, Firewall, Options: allow incoming connections for miyu.
check-firewall-windows = Windows Security, Firewall, Allow an app: let miyu through in private networks (UDP { $port }).
check-known = They know your key, and you know theirs.
check-before = Before that:

# once more before it is done
message-sure = Really delete? It cannot be undone.
