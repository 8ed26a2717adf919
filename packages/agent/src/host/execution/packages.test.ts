// What dpkg installs while this host is restricted: in a room of its own, with dpkg for real.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { needs } from '../../../../../test/needs.ts'
import { until } from '../../testing/fakes.ts'
import { openRoom, type Agent, type Room } from './testing/room.ts'

const isAble = (['root', 'unshare', 'nsenter', 'flock', 'fapolicyd'] as const).every(needs)
const nobody = 65534

describe.skipIf(!isAble)('a host that is restricted, while packages are installed', () => {
  let room: Room
  let agent: Agent

  beforeEach(async () => {
    room = await openRoom()
    // Its script starts the program that it has just brought, and one that it has not, as nobody.
    room.must(`cd $R; printf '#!/bin/sh\\necho foreign\\n' > bin/foreign; chmod 755 bin/foreign
      mkdir -p pack/DEBIAN pack$R/bin
      printf '#!/bin/sh\\necho tool\\n' > pack$R/bin/tool
      printf '#!/bin/sh\\n$R/bin/tool > $R/said 2>&1\\n(setpriv --reuid ${nobody} $R/bin/foreign) >> $R/said 2>&1 || true\\n' |
        sed "s,\\$R,$R,g" > pack/DEBIAN/postinst
      chmod 755 pack$R/bin/tool pack/DEBIAN/postinst
      printf 'Package: tool\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@example.com>\\nDescription: a\\n' > pack/DEBIAN/control
      dpkg-deb --build pack tool.deb`)
    agent = room.agent()
    await agent.apply(true)
  })
  afterEach(() => room.close())

  const install = (): string =>
    room.must('DPKG_FRONTEND_LOCKED=1 dpkg --log=/dev/null -i $R/tool.deb && cat $R/said')
  const isFree = (line: string, as = 0): boolean => room.run(line, as).isDone

  test('goes on installing them, and then starts what they have brought', async () => {
    await agent.prepare()
    assert.ok(!isFree('$R/bin/foreign'))
    assert.match(install(), /(^|\n)tool\n(.*\n)*.*foreign: Operation not permitted\n$/)
    await until('root to be held again', () => !isFree('$R/bin/foreign'))
    assert.equal(room.must('setpriv --reuid 65534 $R/bin/tool'), 'tool\n')
    // Nothing to do, and nothing else to trust after it.
    room.must('dpkg --log=/dev/null --configure --pending')
    await until('root to be held again', () => !isFree('$R/bin/foreign'))
    assert.equal(await agent.difference(true), null)
  })

  test('installs them without an agent, and the next one ends the hold', async () => {
    await agent.kill()
    assert.match(install(), /(^|\n)tool\n/)
    assert.ok(isFree('$R/bin/foreign'))
    assert.ok(!isFree('$R/bin/foreign', nobody))
    // Of the system's folders, as a package might have brought it.
    room.must('cp $R/bin/foreign /usr/games')
    assert.ok(isFree('/usr/games/foreign', nobody))
    const next = room.agent()
    assert.equal(await next.difference(true), null)
    await next.prepare()
    await until('root to be held again', () => !isFree('$R/bin/foreign'))
    assert.ok(!isFree('/usr/games/foreign', nobody))
    assert.ok(isFree('$R/bin/tool', nobody))
  })

  test('holds for as long as somebody installs', async () => {
    await agent.prepare()
    const apt = room.agent()
    await apt.lockPackages()
    install()
    await agent.apply(true)
    assert.ok(isFree('$R/bin/foreign'))
    await apt.kill()
    await until('root to be held again', () => !isFree('$R/bin/foreign'))
  })

  test('leaves dpkg alone when its files are gone', () => {
    room.must('kill -KILL $(pgrep -x fapolicyd); rm -r $R/agent')
    assert.match(install(), /(^|\n)tool\n/)
    assert.equal(room.daemon(), 0)
  })
})
