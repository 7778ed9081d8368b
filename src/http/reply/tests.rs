//! Answers byte by byte, as the BEPs have them, and their JSON forms.
