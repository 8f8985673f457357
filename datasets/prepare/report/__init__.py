"""What a prepared data set holds, as a page and as pictures."""
