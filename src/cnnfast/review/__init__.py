"""Pages on which people look at pictures and correct what they show.

=============  ============================================================================
`card`         `Card`: one picture with what is believed about it
`order`        which pictures come first
`thumbs`       thumbnails, as they are stored in the page
`page`         the page: one HTML file that needs no server and no network
`page.js`      what the page does: keys, undo, saving `labels.csv`
`page.css`     how it looks
=============  ============================================================================
"""
