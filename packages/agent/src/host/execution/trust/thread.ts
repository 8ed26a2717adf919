/** A survey in a thread of its own, which yields to whatever else this host has to do. */
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { survey, type Survey } from './survey.ts'

const { root, former }: { root: string; former: Survey } = workerData
// Of this thread alone: to Linux each is a process.
setPriority(19)
parentPort?.postMessage(survey(root, former))
