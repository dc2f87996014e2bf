// Filters of a list live in the address, so that a view can be shared and the way back works.
import { useSearchParams } from 'wouter'

export function useFilters() {
  const [search, setSearch] = useSearchParams()
  return {
    text: search.toString(), // for keys
    any: search.size > 0,
    get: (name: string) => search.get(name) ?? '',
    set: (name: string) => (value: string) =>
      setSearch(
        before => {
          const next = new URLSearchParams(before)
          if (value) next.set(name, value)
          else next.delete(name)
          return next
        },
        { replace: true },
      ),
    clear: () => setSearch({}, { replace: true }),
  }
}
