# 桌面应用的全部中文文字。键与变量和 en.ftl 相同。

# 启动之前
starting = 正在启动……
start-title = 欢迎使用密语
start-about = 首先需要一个身份：一把永不离开本机的密钥。别人通过它的公钥认识你。
start-about-key = 通讯录还在，但其中指定的密钥文件不见了。新密钥会让你在别人眼中成为另一个人：如果有旧密钥，请把它放回原处。
start-name = 你的名字（只在自己的窗口中显示）
start-lock = 用口令锁住密钥
start-passphrase = 口令
start-passphrase-again = 再输入一次
start-passphrase-differs = 两次输入的口令不同。
start-passphrase-about = 每次启动都会询问。忘记后无法找回。
start-more = 更多
start-listen = 监听的地址和 UDP 端口
start-listen-form = 请写成 IP 地址加端口，例如 [::]:9999 或 192.168.1.12:9999
start-make = 创建身份
start-place = 通讯录保存在 { $path }
locked-title = 密钥已锁定
locked-about = 密钥文件：{ $path }
locked-passphrase = 口令
locked-open = 打开
broken-title = 密语无法启动
broken-again = 重试

# 第一个联系人
welcome-title = 准备好了
welcome-about = 把你的公钥交给对方，并填入对方的公钥。双方都完成之后才能通话。
own-key-title = 你的公钥
own-key-about = 对方把这一行放进自己的通讯录。它不是秘密，但必须原样送达。
own-key-copy = 复制
own-key-listen = 监听 UDP { $address }
own-key-reached = 在同一网络里，对方可以用 { $addresses } 连接你
own-key-qr = 公钥的二维码
add-title = 添加联系人
add-name = 你对对方的称呼
add-key = 对方的公钥行
add-address = 对方的地址和端口
add-address-about = 如果由对方呼叫你，可以留空。多个地址用逗号分开。
add-camera = 允许对方观看我的摄像头
add-add = 添加
dialog-close = 关闭

# 设置
settings-title = 设置
settings-language = 语言
settings-system = 跟随系统
settings-theme = 颜色
settings-light = 浅色
settings-dark = 深色
settings-text-size = 文字大小
settings-smaller = 缩小
settings-larger = 放大
settings-notifies = 不看窗口时通知我有新消息
settings-hides-content = 通知中不显示内容
settings-quiet = 在以下时间内不通知
settings-quiet-from = 从
settings-quiet-to = 到
settings-quiet-form = 时间请写成 22:00
notify-hidden = 有一条新消息

# 联系人
peer-name = 你对对方的称呼
peer-chat = 允许对方给我发消息
peer-save = 保存
peer-safety = 安全码：双方看到的应当相同
peer-safety-about = 请通过其他途径（例如电话）互相核对。如果不同，说明有人在中间。
peer-verified = 已经核对，完全相同
peer-accept = 我知道密钥已更换：是正确的
peer-removes = 我要删除这个联系人；已有的消息仍会保留
peer-remove = 删除

# 列表
peers-title = 联系人
peers-add = 添加联系人
peers-own-key = 显示我的公钥
peers-search = 搜索联系人和消息
peers-none = 还没有联系人
peers-unread = { $count } 条未读消息
peers-here = 在线
peers-here-rtt = 在线，{ $ms } 毫秒
peers-away = 离线
peers-typing = 正在输入……
peers-draft = 有未发送的草稿
peers-failed = 未送达：{ $text }
peers-ours = 你：{ $text }
search-running = 正在搜索……
search-found = { $count ->
    [0] 没有找到消息
   *[other] 找到 { $count } 条消息
}

# 会话
conversation-none = 请选择一位联系人。
conversation-loading = 正在加载……
conversation-empty = 还没有消息。
conversation-unread = 以下为未读消息
conversation-newest = 最新消息
head-verified = 密钥已核对
head-key-changed = 通讯录中这个名字的密钥与以前不同。
head-key-changed-about = 如果对方没有告诉你更换了密钥，核对安全码之前请不要发送任何内容。
head-about = 关于这个联系人
head-why = 对方为什么不在线？
day-today = 今天
day-yesterday = 昨天
kind-picture = 图片
kind-clip = 语音
kind-file = 文件
kind-deletion = 消息已撤回
reply-gone = 原消息已不存在
message-damaged = 这条消息在磁盘上被改动，无法读取。
message-edited = 已编辑
message-menu = 对“{ $text }”的操作
message-reply = 回复
message-copy = 复制
message-edit = 编辑
message-delete = 双方撤回
message-save = 另存为文件
message-forget = 仅在本机删除
message-cancel = 取消发送
message-retry = 重新发送
message-give-up = 放弃
reaction-ours = 来自你
reaction-theirs = 来自对方
picture-open = 打开图片 { $name }
picture-whole = 显示整张图片
picture-loading = 图片正在加载
hidden-open = 图片中藏有文字：显示
hidden-close = 重新隐藏
state-queued = 等待发送
state-sending = 正在发送
state-progress = 正在发送，{ $percent }%
state-delivered = 已送达
state-read = 已读
state-failed = 发送失败
state-failed-why = 未送达：{ $why }
state-received = 已收到

# 输入框
composer-hint = 输入消息
composer-send = 发送
composer-attach = 发送文件或图片
composer-answers = 回复：{ $text }
composer-edits = 正在编辑消息
composer-let-go = 放弃
composer-remove = 不发送 { $name }
composer-hide = 在图片中隐藏文字
composer-hidden = 要隐藏的文字
composer-capacity = 已用 { $used } 字节，共 { $room } 字节

# 选择文件
files-title = 选择文件
files-path = 文件夹
files-parent = 上一级文件夹

# 窗口
notice-close = 知道了
notice-saved = 已保存（未加密）：{ $path }
notice-open-folder = 打开文件夹
engine-busy = 一次请求太多，最后的请求已被丢弃。

# 键盘
help-title = 键盘
key-search = 搜索
key-previous = 上一个会话
key-next = 下一个会话
key-newest = 转到最新消息
key-add = 添加联系人
key-settings = 设置
key-help = 显示此列表
key-send = 发送
key-line = 换行
key-tab = 转到下一个控件，加 Shift 为上一个
key-space = 按下当前控件
key-escape = 关闭对话框，结束搜索，放弃回复或编辑
key-paste = 粘贴文字或图片

# 为什么看不到对方？
check-running = 正在尝试连接……
check-again = 再试一次
check-holds = 正常
check-fails = 不正常
check-unknown = 未知
check-silence = 启动以来没有收到任何数据。
check-firewall = 如果对方说在呼叫你：请在本机防火墙中开放这个 UDP 端口。
check-heard = 已收到 { $count } 个数据报。
check-strangers = 有 { $count } 个数据报来自不知道你公钥的一方。
check-strangers-mend = 如果那是对方，说明对方通讯录中你的公钥是旧的或有误：请重新给他公钥行。
check-address = 通讯录中有对方的地址。
check-dialled = 通讯录中没有对方的地址，但对方会呼叫你。
check-no-address = 通讯录中没有对方的地址：只能等对方呼叫。
check-reached = 对方在 { $ms } 毫秒内应答（{ $suite }）。
check-not-reached = 刚才没能连上对方。
check-clock = 双方时钟一致。
check-clock-off = 双方时钟相差 { $seconds } 秒：请用网络校时。

# 语音
clip-play = 播放语音，时长 { $length }
clip-pause = 暂停语音，时长 { $length }
clip-place = 语音播放位置
sound-absent = 此版本不含录音和播放功能
recorder-record = 录制语音：单击，或按住说话
recorder-finish = 结束录音并保留
recorder-give-up = 取消录音
recorder-level = 麦克风音量
recorder-opening = 正在打开麦克风……
recorder-left = 还可录 { $seconds } 秒，发送给 { $name }
recorder-ending = 请稍候……
recorder-gaps = 录音有中断：发送前请先听一遍。
recorder-quiet = 几乎没有声音：麦克风选对了吗？
