"""New contents become remembered matches: found by their hashes, verified, and settled.

    contents      signatures                                                   files
    unsearched -> windows -> hashes -> low frequencies -> aligned, scored  ->  compared closely

``known`` has the windows of all contents, ``find`` the pairs among new ones and others, ``weigh``
what their signatures decide; ``settle`` asks the files, ``judge`` remembers all of it. ``beside``
does the same for one picture that need not be in the catalog, ``pair`` for two, step by step.
``again`` asks more of two, and remembers nothing: it is asked before one of them is given up.

What was tried, and what each step buys. Recall is of 31 edits each of 130 pictures (camera photos,
wallpapers, product photos), in percent; "turns" are quarter turns and mirrors:

    candidates by                            tone  1 degree  crop 5 %  10 %  one-sided  bars  turns
    pHash as it lies, within 4                 85        81        36     3          0  0-19      0
    the same within 8                          99       100        88    23       2-12 15-68      0
    windows within 6, both ways, in 8 turns    98        98       100   100        100   100    100
    the same in canonical turns                98        98       100   100        100   100    100
    and as it lies within 8: what is done      99       100       100   100        100   100    100

(The least of each sort of edit.) A canonical turn costs 1.4 probes a window where near ties are
tried both ways, instead of 8; without these, corners fall to 96. dHash within 6 as well finds 0.8 %
of the strongest tone edits besides, at the price of another join: left out.

Verifying by four edges, two leans, gain and offset (Gauss and Newton's steps) puts 99.2 % and more
of every edit above 0.97, the median above 0.999. All steps at 16 x 16 cells would be faster by a
third, and take crops of 10 % above 0.99 from 99 to 79 %. The first 63 frequencies reject what has
nothing else in common; of pairs that look alike they reject few.

The score alone is no verdict: of frames of one video, 0.2 s apart, the median scores 0.9998, icons
on a folder 0.9999. So whatever does not agree to the last grey value is compared by its files. Of
702 pairs of video frames above 0.97, 583 are told apart so; in the others nothing moves that 256
pixels show. Of 2,499 such pairs among 22,000 icons, sprites, pages and textures 2,217 are; the
others were looked at, and are copies. What that comparison needed, in copies of 58 pictures that it
took for other shots:

    bicubic with a = -1 (Pillow's transform)     0.1 to 0.8 pixels off; 10 % of tone edits lost
    cubic splines of pictures smoothed by 1 px   0.02 pixels off; 12 % of tone edits, 1 % else
    curves of all three channels, aligned too    2 to 9 % of tone edits
    what a channel clipped left out              2 to 5 % of tone edits
    the better of both directions                contrast 7 to 0 %, sharpened 10 to 7 %
    one curve of all channels for the colours    dark and saturated pictures 3 to 0 %

In 14 edits of tone of each of 150 pictures, 1.0 % were still lost, where an edit had clipped much:

    laid over as they lie, aligned or not; and   brighter 7 to 2 %, contrast 5 to 1 %, sharpened 1
    blocks blown out in part may differ more     to 0 %; of 1,200 pairs of frames 1 more is one
    clipped is only what the edit of all other   brighter 2 to 1 %, contrast 1 to 3 %; and a pale
    pixels would have made white or black        mark on paper is seen

A page is another matter: two invoices of one template, with another name or total, differ in 0 to
3 blocks of 256, and a free curve of three channels makes white of a blue note. So on pages, where
one grey fills much and is white or black, no block may differ or have another colour, nor be off by
four times what nine of ten are: of 18 made-up pairs with another name or number 18 are told apart,
and of 66 copies 65 are still copies. One digit of 22 pixels is beyond 256 pixels: 6 of 6 pass.

Groups are stars round the kept photo. A copy with bars has the most pixels, and is a bad middle:
counting none of the bars, and gathering what is the same picture round the best photo rather than
the nearest one, takes 30 edits of 30 pictures from 70 % found beside their original to 99 %. Nor is
a copy with a date in the middle, which saved larger: a copy that lost an edge is then both cropped
and stamped. Which of two is stamped is told by its edges: of 92 dates right in 72, wrong in 1, open
in 19. Of another 150 pictures, 30 edits each, 99.5 % were found, and 99.7 % with stamps last.
"""
