import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { sendSnippets } from './snippets'

const PAYLOAD = JSON.stringify({ text: `it's "quoted" $HOME \\ \`id\` \n`, n: 1 })

it('writes a curl line whose body the shell leaves as it is', () => {
  const line = sendSnippets('http://x', 'app_1', 'a.b', PAYLOAD).curl!
  const body = execFileSync('sh', ['-c', line.replace(/^curl/, 'f() { for last; do :; done; printf %s "$last"; }; f')], {
    encoding: 'utf8',
  })
  expect(JSON.parse(body)).toEqual({ eventType: 'a.b', payload: JSON.parse(PAYLOAD) })
})

it('writes Python and Go strings that hold the payload', () => {
  const python = sendSnippets('http://x', 'app_1', 'a.b', PAYLOAD).Python!
  const literal = /json\.loads\((".*")\)/.exec(python)![1]!
  expect(JSON.parse(JSON.parse(literal))).toEqual(JSON.parse(PAYLOAD))
})
