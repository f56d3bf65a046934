package com.amazonaws.services.lambda.crac;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/** All resources, in the order in which they were registered, as long as somebody else knows them. */
final class Registry extends Context<Resource> {
    private final List<WeakReference<Resource>> resources = new ArrayList<>();

    @Override
    public synchronized void register(Resource resource) {
        resources.add(new WeakReference<>(Objects.requireNonNull(resource)));
    }

    @Override
    public void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException {
        List<Resource> lastFirst = known();
        Collections.reverse(lastFirst);
        CheckpointException failures = new CheckpointException();
        for (Resource resource : lastFirst) {
            try {
                resource.beforeCheckpoint(this);
            } catch (CheckpointException several) {
                add(failures, several);
            } catch (Exception failure) {
                failures.addSuppressed(failure);
            }
        }
        if (failures.getSuppressed().length > 0) {
            throw failures;
        }
    }

    @Override
    public void afterRestore(Context<? extends Resource> context) throws RestoreException {
        RestoreException failures = new RestoreException();
        for (Resource resource : known()) {
            try {
                resource.afterRestore(this);
            } catch (RestoreException several) {
                add(failures, several);
            } catch (Exception failure) {
                failures.addSuppressed(failure);
            }
        }
        if (failures.getSuppressed().length > 0) {
            throw failures;
        }
    }

    private synchronized List<Resource> known() {
        List<Resource> known = new ArrayList<>();
        for (WeakReference<Resource> reference : resources) {
            Resource resource = reference.get();
            if (resource != null) {
                known.add(resource);
            }
        }
        return known;
    }

    private static void add(Exception failures, Exception several) {
        for (Throwable failure : several.getSuppressed()) {
            failures.addSuppressed(failure);
        }
    }
}
