// Line icons of one weight, 16 px.
const PATHS = {
  home: 'M2.5 7.5 8 3l5.5 4.5M4 6.5V13h8V6.5',
  apps: 'M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z',
  tag: 'M2.5 7.5v-5h5l6 6-5 5zM5.2 5.2h.01',
  live: 'M2 8h3l2-5 2.500 10 2-5H14',
  tasks: 'M2.5 4 4 5.5 6.5 3M2.5 10.5 4 12l2.5-2.5M8.5 4.5h5M8.5 11h5',
  settings: 'M2.5 4.5h6M11.5 4.5h2M2.5 11.5h2M7.5 11.5h6M8.5 2.8v3.4M4.5 9.8v3.4',
  book: 'M8 4c-1.5-1-3.500-1.300-5.500-1.300v9.600c2 0 4 .3 5.500 1.300 1.500-1 3.500-1.300 5.500-1.300V2.700C11.500 2.700 9.500 3 8 4zM8 4v9.600',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.600 10.600 14 14',
  menu: 'M2.500 4h11M2.500 8h11M2.500 12h11',
  close: 'M3.500 3.500l9 9M12.500 3.500l-9 9',
  copy: 'M5.500 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3',
  check: 'M2.500 8.500 6 12l7.500-8',
  down: 'M4 6l4 4 4-4',
  right: 'M6 4l4 4-4 4',
  light:
    'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.500v1M8 13.500v1M1.500 8h1M13.500 8h1M3.400 3.400l.7.7M11.900 11.900l.7.7M3.400 12.600l.7-.7M11.900 4.100l.7-.7',
  dark: 'M13.500 9.500A6 6 0 0 1 6.500 2.500a6 6 0 1 0 7 7z',
  leave: 'M6 2.500H2.500v11H6M10 5l3.500 3-3.500 3M13 8H6',
  plus: 'M8 3v10M3 8h10',
  more: 'M3.500 8h.01M8 8h.01M12.500 8h.01',
  warn: 'M8 2.500 14 13H2zM8 6.500v3M8 11.200h.01',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}
