/** CollectInvestigationPackage: one program looks at everything, then what it wrote down goes to the server as a zip. */
import { CannotBeDone, type Executor, type Run, type Step } from './executor.ts'
import {
  bodyOf,
  impossible,
  inOwnFolder,
  keepWithinBounds,
  nothingUndone,
  whyUnfinished,
  written,
} from './program.ts'

export const collect: Executor = ({ parameters, runLimitMs }) =>
  'itemLimitMs' in parameters
    ? [step(parameters.itemLimitMs, runLimitMs)]
    : impossible('This is not an order to collect a package.')

/** Of the action's folder: gone before anybody says that the action has ended. */
const folderOf = ({ folder }: Pick<Run, 'folder'>): string => `${folder}/package`
const tableCap = 4 * 1024 * 1024

const step = (itemLimitMs: number, limitMs: number): Step => ({
  limitMs,
  work: 'both',

  prepare: (run) => inOwnFolder(run, ['/bin/sh', '-c', run.host.collector.script(itemLimitMs)], 'package'),

  tend: async (run) => {
    await keepWithinBounds(run)
    const now = run.host.collector.progress((await written(run, 'stdout')).text)
    if (now !== null) run.look(now.share, now.line)
  },

  conclude: async (run, ended) => {
    const [unfinished] = whyUnfinished(bodyOf(ended), limitMs)
    if (unfinished !== undefined) throw new CannotBeDone(unfinished)
    run.look(null, 'sending the package')
    const texts = await summaryOf(run)
    const { sha256, size } = await run.deliver(() => run.host.collector.zip(folderOf(run), texts))
    await run.host.files.removeFolder(folderOf(run))
    return { failed: false, errors: [], result: { sha256, size, fileName: `${nameOf(run)}.zip` } }
  },

  undo: async (run) => {
    await run.host.files.removeFolder(folderOf(run))
    return nothingUndone
  },
})

/** How each item went, for people and for programs. */
async function summaryOf({
  host,
  offer,
  folder,
  startedAt,
  agentVersion,
}: Run): Promise<Readonly<Record<string, string>>> {
  const { collector, files } = host
  const table = await files.readHead(`${folderOf({ folder })}/${collector.tableName}`, tableCap)
  const { hostName, osPlatform, osVersion } = await host.readFacts()
  const about = { hostName, system: `${osPlatform} ${osVersion ?? ''}`.trim(), agentVersion }
  const summary = collector.summary(table?.text ?? '', {
    ...about,
    actionId: offer.id,
    startedAt,
    endedAt: host.now(),
  })
  return { 'summary.txt': summary.text, 'summary.json': summary.json }
}

const nameOf = ({ offer }: Run): string => `InvestigationPackage_${offer.id}`
