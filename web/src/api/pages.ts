// Lists that go on by iterator.
import { useInfiniteQuery, type QueryKey } from '@tanstack/react-query'

export interface Page<T> {
  data: T[]
  iterator: string | null
  done: boolean
}

export interface Pages<T> {
  items: T[]
  isLoading: boolean
  error: Error | null
  hasMore: boolean
  isLoadingMore: boolean
  loadMore: () => void
  reload: () => void
}

// refreshMs: how often it is asked for anew while only the first page is shown.
export function usePages<T>(key: QueryKey, load: (iterator: string | undefined) => Promise<Page<T>>, refreshMs?: number): Pages<T> {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => load(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: last => (last.done ? undefined : (last.iterator ?? undefined)),
    // What was scrolled through stays as it is: to ask for all of its pages anew would take long.
    refetchOnWindowFocus: ({ state }) => (state.data?.pages.length ?? 0) <= 1,
    refetchInterval: refreshMs ? ({ state }) => (state.data && state.data.pages.length > 1 ? false : refreshMs) : false,
  })
  return {
    items: query.data?.pages.flatMap(page => page.data) ?? [],
    isLoading: query.isPending,
    error: query.error,
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    loadMore: () => {
      // One that is under way is waited for: lists ask again with whatever they render meanwhile.
      if (!query.isFetchingNextPage) void query.fetchNextPage({ cancelRefetch: false })
    },
    reload: () => void query.refetch(),
  }
}
