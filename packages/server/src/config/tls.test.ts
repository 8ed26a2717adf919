import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { describe, test } from 'vitest'
import { ConfigError, readConfig, type Config } from './index.ts'

const read = (...args: readonly string[]): Config => readConfig(args, {}, true)
const namesOf = ({ tls }: Config): readonly string[] => (tls.kind === 'auto' ? tls.names : [])
const local = ['127.0.0.1', 'localhost', '::1']

describe('what does not go together is a sentence', () => {
  test.each([
    [['--tls', 'yes'], /--tls takes off or auto/],
    [['--tls-cert', 'a'], /--tls-cert and --tls-key go together/],
    [['--tls-key', 'a'], /--tls-cert and --tls-key go together/],
    [['--tls', 'auto', '--tls-cert', 'a', '--tls-key', 'b'], /not both/],
    [['--tls-names', 'a.example'], /--tls-names is for --tls auto/],
    [['--tls-names', 'a.example', '--tls-cert', 'a', '--tls-key', 'b'], /--tls-names is for --tls auto/],
    [['--tls', 'auto', '--tls-names', 'a b'], /--tls-names takes names and addresses/],
    [['--tls', 'auto', '--tls-names', 'https://a.example'], /--tls-names takes names and addresses/],
    [['--tls', 'auto', '--tls-names', ''], /--tls-names takes names and addresses/],
    [['--tls', 'auto', '--public-url', 'http://a.example'], /--public-url begins with https:\/\//],
  ])('%j', (args, says) => {
    assert.throws(
      () => read(...args),
      (thrown) => thrown instanceof ConfigError && says.test(thrown.message),
    )
  })
})

test('without a word there is no TLS', () => {
  const { tls, caFile, publicUrl, localUrl } = read()
  assert.deepEqual([tls, caFile], [{ kind: 'off' }, null])
  assert.deepEqual([publicUrl, localUrl], ['http://127.0.0.1:8600', 'http://127.0.0.1:8600'])
})

describe('a certificate of ours', () => {
  test('is for the public name, for this host’s addresses, and for its name where none is given', () => {
    const config = read('--tls', 'auto', '--public-url', 'https://Countermand.example:444/')
    assert.deepEqual(namesOf(config), ['countermand.example', ...local, hostname().toLowerCase()])
    assert.equal(config.publicUrl, 'https://Countermand.example:444')
    assert.equal(config.localUrl, 'https://127.0.0.1:8600')
  })

  test('is for further names, and for where it listens', () => {
    const config = read(
      '--tls',
      'auto',
      '--listen',
      '192.0.2.7:443',
      '--tls-names',
      'a.example, *.b.example,2001:db8::1',
    )
    assert.deepEqual(namesOf(config), [
      '192.0.2.7',
      'localhost',
      '127.0.0.1',
      '::1',
      'a.example',
      '*.b.example',
      '2001:db8::1',
    ])
    assert.equal(config.publicUrl, 'https://192.0.2.7:443')
  })

  test('is for addresses without the brackets that URLs have', () => {
    assert.deepEqual(
      namesOf(read('--tls', 'auto', '--listen', '[2001:db8::2]:443', '--tls-names', 'a.example')).slice(0, 1),
      ['2001:db8::2'],
    )
  })

  /** `wire.md` 10 and 11, by hand. */
  test('is for every host of the reference where "microsoft" is among the names', () => {
    const names = namesOf(read('--tls', 'auto', '--tls-names', 'a.example,microsoft'))
    assert.deepEqual(names.slice(0, 4), [...local, 'a.example'])
    assert.deepEqual(names.slice(4).toSorted(), [
      'aea.api.security.microsoft.com',
      'api-au.securitycenter.microsoft.com',
      'api-eu.securitycenter.microsoft.com',
      'api-gcc.securitycenter.microsoft.us',
      'api-gov.securitycenter.microsoft.us',
      'api-uk.securitycenter.microsoft.com',
      'api-us.securitycenter.microsoft.com',
      'api-us.securitycenter.windows.com',
      'api.security.microsoft.com',
      'api.securitycenter.microsoft.com',
      'api.securitycenter.windows.com',
      'au.api.security.microsoft.com',
      'eu.api.security.microsoft.com',
      'ina.api.security.microsoft.com',
      'login.microsoftonline.com',
      'login.microsoftonline.us',
      'swa.api.security.microsoft.com',
      'uk.api.security.microsoft.com',
      'us.api.security.microsoft.com',
    ])
  })

  test('has its CA beside the credentials', () => {
    assert.equal(read('--tls', 'auto', '--data', '/somewhere').caFile, '/somewhere/ca.pem')
  })
})

test('a certificate that was brought is for the public name, by which the agent of this host asks too', () => {
  const files = ['--tls-cert', '/c/full.pem', '--tls-key', '/c/key.pem']
  const { tls, caFile, localUrl } = read(...files, '--public-url', 'https://countermand.example')
  assert.deepEqual(tls, { kind: 'own', certificate: '/c/full.pem', key: '/c/key.pem' })
  assert.deepEqual([caFile, localUrl], [null, 'https://countermand.example'])
})
