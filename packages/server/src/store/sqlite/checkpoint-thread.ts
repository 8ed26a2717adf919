/** A thread that carries the log over into the file; it loads no more than that needs. */
import { workerData } from 'node:worker_threads'
import { keepCarryingOver, openFile } from './file.ts'
import type { ThreadData } from './thread.ts'

const { file }: Pick<ThreadData, 'file'> = workerData
keepCarryingOver(openFile(file), file)
