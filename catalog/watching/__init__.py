"""Following the disk live. Events say where to look; reconcile decides what is so.

hints       which folders to look at, and when: many events become few looks
ears        what is made of an event: a hint, by the filters of its root
inotify     the kernel's events, folder by folder, on Linux
observed    watchdog's observer, where the system watches whole trees
cookies     a file that is made to see its event: do events come, and how far are they?
senses      events, cookies and what to do when they stop to come
followed    one root: its place, what may have been missed, when to look again
following   all of them, and the looks that no event asks for
mounts      being woken when something is mounted
growing     whether somebody still writes to a file
work        what a look found to be done, a portion at a time
worker      carries looks out: plans, performs, mends what fails
tools       the open catalog and the processes that read, while there is work
daemon      the loop that all of it turns in
reporter    what is told, and when it is too much to be told singly
arrivals    "you already have this": looked up aside, so that nobody waits for it
channel     a socket, for others to ask
client      what they ask: how it is, and whether the catalog is up to date
background  without a terminal, and its end
service     starting with the session: systemd and launchd
notifier    telling systemd how the daemon is
programs    running other programs to their end
"""
