package com.amazonaws.services.lambda.crac;

/** What wants to be told of a snapshot: see org.crac.Resource. */
public interface Resource {
    void beforeCheckpoint(Context<? extends Resource> context) throws Exception;

    void afterRestore(Context<? extends Resource> context) throws Exception;
}
