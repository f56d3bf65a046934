package com.amazonaws.services.lambda.crac;

/** Resources that are told together: see org.crac.Context. */
public abstract class Context<R extends Resource> implements Resource {
    protected Context() {}

    @Override
    public abstract void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException;

    @Override
    public abstract void afterRestore(Context<? extends Resource> context) throws RestoreException;

    /** Has it told. It is held on to by others, or forgotten. */
    public abstract void register(R resource);
}
