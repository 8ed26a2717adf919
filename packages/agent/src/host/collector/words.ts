import { readFileSync } from 'node:fs'

/** Shell words that the commands of items may use, as the text of functions. */
export const wordsText = readFileSync(new URL('words.sh', import.meta.url), 'utf8')

/** What each word does, for whoever reads a command. */
export const wordMeanings: readonly (readonly [word: string, meaning: string])[] = [
  ['show', 'prints regular files, each under its name'],
  ['list', 'lists files and folders with owner, mode, size and time'],
  ['tree', 'lists all that is below a folder, within its file system'],
  ['keep', 'copies the last 4 MiB of files to files/, with their times'],
  ['search', 'prints the lines that contain a word, in files and in all files below folders'],
  ['changed', 'lists the files below folders that changed in the last seven days'],
  ['privileged', 'lists the files below folders with setuid or setgid'],
  ['in_homes', 'does one of these in the home folder of every user'],
  ['each_process', 'lists processes by what /proc says'],
  ['process_tree', 'lists processes, each below the one that started it'],
  ['running_programs', 'hashes what /proc/PID/exe leads to, each program once'],
  ['open_files', 'lists the descriptors of every process'],
  ['authorized_keys', 'lists .ssh folders, with fingerprints of the keys or the keys themselves'],
  ['password_states', 'says what /etc/shadow says, but for the hashes'],
  ['init_environment', 'prints the environment of process 1, "(left out)" for what looks like a secret'],
  ['without_passwords', 'leaves out what stands before the @ of an address'],
]
