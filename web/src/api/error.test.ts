import { expect, it } from 'vitest'
import { ApiError, fieldsOf, messageOf } from './error'

it('puts faults at their fields', () => {
  const error = new ApiError(422, { detail: [{ loc: ['body', 'uid'], msg: 'is not a uid', type: 'value_error' }] })
  expect(fieldsOf(error)).toEqual({ uid: 'Is not a uid' })
  expect(messageOf(error)).toBe('uid: is not a uid')
})

it('tells what the server says, and something when it says nothing', () => {
  expect(messageOf(new ApiError(409, { code: 'conflict', detail: 'The uid is taken.' }))).toBe('The uid is taken.')
  expect(messageOf(new ApiError(502, undefined))).toBe('The server answered 502.')
  expect(messageOf(new ApiError(0, undefined))).toBe('The server cannot be reached.')
})
