import { describe, expect, it } from 'vitest'
import { fromField, parseSchedule, relative, schedule, span, toField, utc } from './time'

describe('times', () => {
  const now = new Date('2026-03-01T12:00:00Z')

  it('are told from now', () => {
    expect(relative('2026-03-01T11:59:59.500Z', now)).toBe('now')
    expect(relative('2026-03-01T11:58:00Z', now)).toBe('2 min ago')
    expect(relative('2026-02-27T11:00:00Z', now)).toBe('2 d ago')
    expect(relative('2026-03-01T14:59:59Z', now)).toBe('in 2 h')
  })

  it('are told in UTC beside the zone of the viewer', () => {
    expect(utc('2026-03-01T12:00:00.123Z')).toBe('2026-03-01 12:00:00.123 UTC')
  })

  it('go through a field of the browser and back', () => {
    expect(fromField(toField(now))).toBe('2026-03-01T12:00:00.000Z')
    expect(fromField('')).toBeUndefined()
  })

  it('round spans down', () => {
    expect(span(0.4)).toBe('0 s')
    expect(span(119)).toBe('1 min')
    expect(span(-5)).toBe('0 s')
  })
})

describe('retry schedules', () => {
  it('are read as people write them', () => {
    expect(parseSchedule('5 s, 5min, 2h,1 d, 90')).toEqual({ seconds: [5, 300, 7200, 86400, 90] })
    expect(parseSchedule(' ')).toEqual({ seconds: [] })
  })

  it('name the word that is wrong', () => {
    expect(parseSchedule('5 s, soon')).toEqual({ wrong: 'soon' })
    expect(parseSchedule('-5')).toEqual({ wrong: '-5' })
    expect(parseSchedule('1.5 h')).toEqual({ wrong: '1.5 h' })
  })

  it('are written so that they read the same', () => {
    for (const seconds of [[5, 300, 1800, 7200, 36000], [90], [86400, 61]]) expect(parseSchedule(schedule(seconds))).toEqual({ seconds })
  })
})
