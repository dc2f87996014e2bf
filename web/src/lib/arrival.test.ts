import { expect, it } from 'vitest'
import { messageIdOf, verdictOf } from './arrival'

it('finds the message whatever the prefix', () => {
  const id = 'msg_0123456789abcdefghijkl'
  expect(
    messageIdOf([
      ['x-request-id', '7'],
      ['svix-id', id],
    ]),
  ).toBe(id)
  expect(messageIdOf([['host', id]])).toBeUndefined()
})

it('says what a signature is', () => {
  expect(verdictOf('valid')).toEqual(['Signature right', 'good'])
  expect(verdictOf('new')).toEqual(['new', 'quiet'])
})
