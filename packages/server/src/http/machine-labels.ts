import { taggingLimit, type machineLabels } from '@countermand/contract'
import { labelDevice, labelDevices } from '../app/label-devices.ts'
import { Refusal } from '../core/errors.ts'
import type { Label } from '../core/labels.ts'
import type { Handlers } from './operation.ts'
import { contextOf, toMachine } from './wire.ts'

const tagging = ({
  Action,
  Value,
}: {
  readonly Action: 'Add' | 'Remove'
  readonly Value: string
}): Label => ({
  kind: Action === 'Add' ? 'add' : 'remove',
  tag: Value,
})

type Labelled = Parameters<Handlers<typeof machineLabels>['tagMachine']>[0]
const labelling = async (
  { app, target, caller, base }: Pick<Labelled, 'app' | 'target' | 'caller' | 'base'>,
  label: Label,
) => ({
  '@odata.context': contextOf(base, 'Machines/$entity'),
  ...toMachine(await labelDevice(app, target, label, caller.name), app.now()),
})

export const machineLabelHandlers: Handlers<typeof machineLabels> = {
  updateMachine: (call) => {
    const { machineTags: tags, deviceValue } = call.body
    return labelling(call, {
      kind: 'set',
      ...(tags !== undefined && { tags }),
      ...(deviceValue !== undefined && { deviceValue }),
    })
  },

  tagMachine: (call) => labelling(call, tagging(call.body)),

  tagMachines: async ({ app, caller, body, base }) => {
    const { length } = body.MachineIds
    if (length > taggingLimit) {
      const text = `The batch is too large: received ${length} machine ids, allowed ${taggingLimit}.`
      throw new Refusal('MaximumBatchSizeExceeded', text)
    }
    const ids = [...new Set(body.MachineIds.map((id) => id.toLowerCase()))]
    const devices = await labelDevices(app, { ids, label: tagging(body), by: caller.name })
    return {
      '@odata.context': contextOf(base, 'Machines'),
      value: devices.map((device) => toMachine(device, app.now())),
    }
  },

  setDeviceValue: (call) => labelling(call, { kind: 'set', deviceValue: call.body.DeviceValue }),
}
