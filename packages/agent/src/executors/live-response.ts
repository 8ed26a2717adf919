/** LiveResponse: a step for each command. */
import { commandsOf, type LiveResponseCommand } from '@countermand/contract'
import type { Executor, Step } from './executor.ts'
import { getFile } from './get-file.ts'
import { impossible } from './program.ts'
import { putFile } from './put-file.ts'
import { runScript } from './run-script.ts'

export const liveResponse: Executor = ({ parameters }) => {
  const commands = commandsOf(parameters)
  return commands.length === 0
    ? impossible('This is not an order for a live response.')
    : commands.map(stepOf)
}

function stepOf(command: LiveResponseCommand): Step {
  switch (command.type) {
    case 'PutFile':
      return putFile(command)
    case 'RunScript':
      return runScript(command)
    case 'GetFile':
      return getFile(command)
  }
}
