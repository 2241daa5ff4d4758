-- audit.rs loads a file with lines in it.
\set file /dev/null
