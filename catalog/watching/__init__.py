"""Following the disk live. Events say where to look; reconcile decides what is so.

hints     which folders to look at, and when: many events become few looks
inotify   the kernel's events, folder by folder; the one place that knows watchdog
followed  one root as the daemon follows it: its filters, its place, its last looks
cookies   a file that is made to see its event: whether events come, and how far they are
growing   whether somebody still writes to a file
work      the files that a look found to be read, a portion at a time
daemon    the loop that all of it turns in
arrivals  "you already have this": told aside, so that nobody waits for it
mounts    being woken when something is mounted
channel   how other processes ask the daemon how it is, and whether it is up to date
service   starting with the session: systemd and launchd
"""
