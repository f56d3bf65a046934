package layer;

/** A class that a layer brings. */
public final class OfLayer {
    public static final String NAME = "of the layer";

    private OfLayer() {}
}
