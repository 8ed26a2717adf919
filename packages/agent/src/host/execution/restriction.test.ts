// fapolicyd for real: in a room of its own, where it watches one scratch file system.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { needs } from '../../../../../test/needs.ts'
import { until } from '../../testing/fakes.ts'
import { openRoom, type Agent, type Room } from './testing/room.ts'

const isAble = (['root', 'unshare', 'nsenter', 'flock', 'fapolicyd'] as const).every(needs)
const nobody = 65534
const isRefused = /Operation not permitted/

describe.skipIf(!isAble)('a host that is restricted', () => {
  let room: Room
  let agent: Agent

  beforeEach(async () => {
    room = await openRoom()
    room.must(`cd $R/bin
      cp /usr/bin/true packaged; cp /usr/bin/true changed
      cp /usr/bin/true foreign; echo >> foreign
      printf '#!/bin/sh\\necho ran\\n' > script; chmod 755 script
      md5sum packaged changed | sed "s, \\([^ ]*\\)\\$, \${R#/}/bin/\\1," > ../dpkg/info/tools.md5sums
      printf 'Package: tools\\nStatus: install ok installed\\n\\n' > ../dpkg/status`)
    agent = room.agent()
  })
  afterEach(() => room.close())

  const refuses = (line: string, as = 0): void => assert.match(room.run(line, as).text, isRefused)

  test('starts what a package has brought, and nothing else, by whatever way and whoever asks', async () => {
    assert.equal(room.must('$R/bin/foreign; $R/bin/script'), 'ran\n')
    assert.equal(await agent.obstacle(), null)
    await agent.apply(true)
    assert.equal(await agent.difference(true), null)
    assert.notEqual(await agent.difference(false), null)
    room.must('cp $R/bin/foreign /run')
    for (const as of [0, nobody]) {
      assert.ok(room.run('$R/bin/packaged', as).isDone)
      for (const line of ['$R/bin/foreign', '$R/bin/script', '/run/foreign']) refuses(line, as)
    }
    refuses('cp $R/bin/foreign $R/bin/packaged.new && $R/bin/packaged.new')
    refuses(`unshare --mount sh -c 'mount --bind $R/bin /mnt && /mnt/foreign'`)
    // What it does not stop: the interpreter is the system's own, and reads what it likes.
    assert.equal(room.must('sh $R/bin/script'), 'ran\n')
  })

  test('does not start what was changed, also where it has the same size, and had been started before', async () => {
    await agent.apply(true)
    assert.ok(room.run('$R/bin/changed').isDone)
    room.must('printf zz | dd of=$R/bin/changed bs=1 seek=8000 conv=notrunc status=none')
    refuses('$R/bin/changed')
    // A later agent, which does not read it again either.
    await agent.kill()
    room.must('touch $R/dpkg/status')
    await room.agent().apply(true)
    refuses('$R/bin/changed')
    assert.ok(room.run('$R/bin/packaged').isDone)
  })

  test('starts the agent again, which no package has brought: for root alone', async () => {
    room.must(`cp ${process.execPath} $R/bin/node`)
    const first = room.agent(`${room.folder}/bin/node`)
    await first.apply(true)
    await first.kill()
    assert.equal(await room.agent(`${room.folder}/bin/node`).difference(true), null)
    refuses('$R/bin/node --version', nobody)
  })

  test('is put back when its daemon was killed, and nobody waits for one that was stopped', async () => {
    await agent.apply(true)
    await agent.watch()
    room.must('kill -KILL $(pgrep -x fapolicyd -r S)')
    await until('the death to be seen', () => agent.calls() > 0)
    assert.match((await agent.difference(true)) ?? '', /not running/)
    assert.ok(room.run('$R/bin/foreign').isDone)
    await agent.apply(true)
    refuses('$R/bin/foreign')
    assert.equal(await agent.difference(true), null)

    const calls = agent.calls()
    room.must('kill -STOP $(pgrep -x fapolicyd -r S)')
    // Both hang for as long as it is stopped, and the agent with it.
    assert.equal(await agent.startPackaged(), 0)
    refuses('$R/bin/foreign')
    await until('the stop to be told', () => agent.calls() > calls)
    await until('it to be said', async () => /stopped/.test((await agent.difference(true)) ?? ''))
    await agent.apply(true)
    assert.equal(await agent.difference(true), null)
  })

  test('says what of its policy is otherwise, and is given it again', async () => {
    for (const change of [
      `sed -i 's/^deny/allow/' $R/agent/policy/compiled.rules`,
      `sed -i 's/sha256/none/' $R/agent/policy/fapolicyd.conf`,
      'rm -r $R/agent/policy',
      'echo $R/bin/foreign $(stat -c %s $R/bin/foreign) $(sha256sum < $R/bin/foreign) >> $R/agent/policy/fapolicyd.trust',
      'rm $R/hooks/*',
      'echo : > $R/agent/hold.sh',
    ]) {
      await agent.apply(true)
      assert.equal(await agent.difference(true), null)
      room.must(change)
      assert.notEqual(await agent.difference(true), null, change)
    }
    await agent.apply(true)
    assert.equal(await agent.difference(true), null)
    refuses('$R/bin/foreign')
  })

  test('is free again, and nothing is left', async () => {
    await agent.apply(false)
    assert.equal(room.must('find $R/agent -type f'), '')
    const before = room.must('cat /proc/self/mountinfo')
    await agent.apply(true)
    const daemon = room.daemon()
    assert.ok(daemon > 0)
    room.must(`kill -STOP ${daemon}`)
    await agent.apply(false)
    assert.equal(await agent.difference(false), null)
    assert.equal(room.daemon(), 0)
    assert.ok(room.run('$R/bin/foreign').isDone)
    assert.equal(room.must('cat /proc/self/mountinfo'), before)
    assert.equal(
      room.must('cd $R; ls agent hooks; find /run -type f'),
      'agent:\nlock\ntrust.json\n\nhooks:\n',
    )
    await agent.apply(false)
  })

  test('has one daemon, whichever agents restrict it at once, and one that was killed at it', async () => {
    const other = room.agent()
    await Promise.all([agent.apply(true), other.apply(true), agent.apply(true)])
    const daemon = room.daemon()
    assert.ok(daemon > 0)
    assert.equal(await other.difference(true), null)
    await agent.kill()
    assert.equal(room.daemon(), daemon)
    await other.apply(false)
    for (const waitMs of [0, 100, 200, 300]) {
      const killed = room.agent()
      const applied = killed.apply(true).catch(() => undefined)
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      await killed.kill()
      await applied
      await other.apply(waitMs !== 200)
      assert.equal(await other.difference(waitMs !== 200), null)
      assert.equal(room.daemon() > 0, waitMs !== 200)
    }
    refuses('$R/bin/foreign')
  })

  test('is refused where it lacks the daemon, or has one of its own', async () => {
    const refusal = async (): Promise<{ why: string; detail: string }> => {
      await assert.rejects(agent.apply(true), /cannot be restricted/)
      return (await agent.obstacle()) as { why: string; detail: string }
    }
    room.must('mkdir -p /run/systemd/system')
    room.must('mkdir $R/own; cp -r /etc/fapolicyd $R/own; mount --bind $R/own /etc/systemd')
    room.must(
      'mkdir -p $R/own/system/multi-user.target.wants; ln -s x $R/own/system/multi-user.target.wants/fapolicyd.service',
    )
    assert.equal((await refusal()).why, 'in_use')
    // Masked, it does not start.
    room.must('ln -s /dev/null $R/own/system/fapolicyd.service')
    assert.equal(await agent.obstacle(), null)
    room.must('rm -r /run/systemd')

    // Its own configuration, but of a file system that nobody has.
    room.must(`cd $R/own/fapolicyd; sed -i 's/^watch_fs.*/watch_fs = cramfs/; s/^uid.*/uid = 0/; s/^gid.*/gid = 0/' fapolicyd.conf
      echo 'allow perm=any all : all' > compiled.rules; mkdir -p /run/fapolicyd
      mount --bind . /etc/fapolicyd; mount -t ramfs ramfs /var/lib/fapolicyd; fapolicyd`)
    const own = room.daemon()
    assert.ok(own > 0)
    assert.equal((await refusal()).why, 'in_use')
    await agent.apply(false)
    assert.equal(room.daemon(), own)
    room.must(`kill -KILL ${own}; umount /etc/fapolicyd /var/lib/fapolicyd`)

    room.must('mount --bind /dev/null /usr/sbin/fapolicyd')
    assert.deepEqual(await refusal(), { why: 'missing_tool', detail: 'apt-get install --yes fapolicyd' })
    room.must('mkdir -p /run/systemd/system')
    assert.deepEqual(await refusal(), {
      why: 'missing_tool',
      detail: 'systemctl mask fapolicyd && apt-get install --yes fapolicyd',
    })
    assert.equal(room.daemon(), 0)
  })
})
